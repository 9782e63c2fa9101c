"""DEKR's heads and neck: exact sizes, tied weights, and identities with plain layers."""

from functools import cache

import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.resnet import BasicBlock
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_branches import DekrBranches
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.layers.spatial import SpatialBlock
from posekit.models.necks.concat import Concat
from posekit.models.onestage import OneStage
from posekit.models.pose_scorer import PoseScorer

SHAPES = {"heatmap": (K + 1, H, W), "point_offsets": (2 * K, H, W)}


@cache
def whole(head, width=32, points=17):
    """HRNet, its maps laid behind each other, and the head; nothing is computed."""
    backbone = HRNet(width=width, multi_scale=True)
    shapes = {"heatmap": (points + 1, 128, 128), "point_offsets": (2 * points, 128, 128)}
    with torch.device("meta"):
        return OneStage(size=(512, 512), backbone=backbone, neck=Concat(), head=head).build(shapes)


@pytest.mark.parametrize(
    ("head", "width", "points", "count"),
    [
        (DekrHead(), 32, 17, 29_561_182),
        (DekrHead(channels=48), 48, 17, 65_684_590),
        (DekrHead(), 32, 14, 29_522_071),
    ],
)
def test_dekr_is_as_large_as_published(head, width, points, count):
    assert count_parameters(whole(head, width, points)) == count


@pytest.mark.parametrize(("width", "channels", "size", "macs"), [(32, 32, 512, 45.385), (48, 48, 640, 141.527)])
def test_dekr_costs_what_is_published(width, channels, size, macs):
    net = whole(DekrHead(channels=channels), width)
    assert count_macs(net, (size, size)) / 1e9 == pytest.approx(macs, abs=0.0005)


def test_the_first_version_is_as_large_as_published_less_what_it_did_twice_too_often():
    net = whole(DekrFirstHead())
    assert count_parameters(net) / 1e6 == pytest.approx(30.68, abs=0.005)
    # The published code enters the gaussians' branch anew for each dilation: 480 to 32 channels on 128x128 cells.
    again = 2 * 480 * 32 * 128 * 128
    assert (count_macs(net, (512, 512)) + again) / 1e9 == pytest.approx(64.89, abs=0.005)


@pytest.mark.parametrize(("features", "count"), [(74, 85_249), (59, 81_409)])
def test_the_scoring_net_is_as_large_as_published(features, count):
    net = PoseScorer(features).build()
    assert count_parameters(net) == count
    assert net(torch.randn(B, features)).shape == (B,)


def test_a_light_head_is_smaller():
    light = DekrHead(channels=16, width=4, blocks=1).build(SHAPES, 24, (4,))
    assert count_parameters(light) * 2 < count_parameters(DekrHead().build(SHAPES, 24, (4,)))


@pytest.mark.parametrize(
    "config",
    [DekrHead(width=3), DekrFirstHead(channels=8, width=6), DekrBranches(width=3)],
    ids=["dekr", "first", "branches"],
)
def test_heads_give_the_wanted_maps_and_learn(config):
    torch.manual_seed(0)
    head = config.build(SHAPES, 24, (4,))
    maps = head([torch.randn(B, 24, H, W)])
    assert {name: tuple(value.shape[1:]) for name, value in maps.items()} == SHAPES
    sum(value.square().mean() for value in maps.values()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    head.zero_grad()
    sum(value.square().mean() for value in head([torch.randn(B, 24, H, W)]).values()).backward()
    silent = [name for name, parameter in head.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert silent == []


def test_drawn_weights_leave_the_start_of_adaptive_blocks():
    for start, told in (("centre", 0.0), ("identity", 2.0)):
        head = DekrHead(start=start).build(SHAPES, 24, (4,))
        for block in head.blocks:
            assert block.transform.weight.abs().sum() == 0
            assert block.transform.bias.sum().item() == told * K
        assert head.point_offsets.weight.std().item() == pytest.approx(0.001, rel=0.3)


@pytest.mark.parametrize("config", [DekrHead(), DekrFirstHead()], ids=["dekr", "first"])
def test_what_a_head_cannot_give_is_refused(config):
    with pytest.raises(ValueError, match="takes one map, but the neck outputs strides 8, 16"):
        config.build(SHAPES, 24, (8, 16))
    for shapes in ({"heatmap": (K, H, W), "point_offsets": (2 * K, H, W)}, {"heatmap": (K + 1, H, W)}):
        with pytest.raises(
            ValueError, match=r"outputs K \+ 1 maps 'heatmap' and 2 K 'point_offsets', the codec needs \{'heatmap"
        ):
            config.build(shapes, 24, (4,))


def test_dilated_blocks_share_their_convolutions_and_nothing_else():
    first, *others = DekrFirstHead().build(SHAPES, 24, (4,)).heatmap_blocks
    for other in others:
        for name, value in first.named_parameters():
            shared = value.data_ptr() == dict(other.named_parameters())[name].data_ptr()
            assert shared == (name.endswith("weight") and not name.startswith("norm")), name
    assert [block.conv1.dilation for block in (first, *others)] == [(1, 1), (2, 2), (3, 3)]


def upright(block):
    """Transforms that change nothing."""
    with torch.no_grad():
        for transform in (block.transform1, block.transform2):
            transform.bias.copy_(torch.tensor((1.0, 0.0, 0.0, 1.0)))
    return block


def test_an_upright_spatial_block_is_a_basic_block():
    torch.manual_seed(0)
    block, plain = upright(SpatialBlock(6)).eval(), BasicBlock(6, 6).eval()
    for norm in (block.norm1, block.norm2):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        norm.running_var.uniform_(0.5, 2)
    names = {"conv1": "conv1", "conv2": "conv2", "norm1": "bn1", "norm2": "bn2"}
    for ours, theirs in names.items():
        getattr(plain, theirs).load_state_dict(getattr(block, ours).state_dict())
    x = torch.randn(B, 6, H, W)
    torch.testing.assert_close(block(x), plain(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("stretch", "dilation", "same"), [(1.0, 2, 2), (2.0, 2, 3), (0.0, 3, 2), (2.0, 1, 2)])
def test_a_spatial_block_transforms_the_undilated_grid(stretch, dilation, same):
    """Taps lie d + a - 1 cells apart: a kernel stretched a times at dilation d."""
    torch.manual_seed(0)
    block = upright(SpatialBlock(4, dilation)).eval()
    with torch.no_grad():
        block.transform1.bias.mul_(stretch)
        block.transform2.bias.mul_(stretch)
    x = torch.randn(B, 4, H, W)
    y = F.conv2d(x, block.conv1.weight, padding=same, dilation=same)
    y = block.norm2(F.conv2d(block.norm1(y).relu(), block.conv2.weight, padding=same, dilation=same))
    torch.testing.assert_close(block(x), (y + x).relu(), atol=1e-5, rtol=1e-5)


def test_a_spatial_block_reads_both_transforms_from_what_comes_in():
    torch.manual_seed(0)
    block = SpatialBlock(4).eval()
    nn.init.normal_(block.transform2.weight, std=0.5)
    x = torch.randn(B, 4, H, W)
    seen = []
    block.transform2.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    block(x)
    assert torch.equal(seen[0], x)


def test_concat_lays_all_maps_behind_each_other():
    maps = [torch.randn(B, channels, 32 // stride, 64 // stride) for channels, stride in ((3, 2), (4, 4), (5, 8))]
    neck = Concat(mode="nearest").build((3, 4, 5), (2, 4, 8), 4)
    assert (neck.channels, neck.stride, count_parameters(neck)) == (9, 4, 0)
    x = neck(maps)
    assert x.shape == (B, 9, 8, 16)
    assert torch.equal(x[:, :4], maps[1])
    assert torch.equal(x[:, 4:, ::2, 1::2], maps[2])


def test_concat_grows_between_cells():
    """Of the row 0, 8 each cell becomes two, a quarter of a cell beside its centre."""
    neck = Concat().build((1, 1), (4, 8), 4)
    row = torch.tensor([0.0, 8.0]).expand(1, 1, 2, 2)
    assert neck([torch.zeros(1, 1, 4, 4), row])[0, 1, 0].tolist() == [0, 2, 6, 8]


def test_concat_refuses_a_finer_map_than_doubling_gives():
    with pytest.raises(ValueError, match=r"the maps need stride 3, but .*last map \(stride 32\)"):
        Concat().build((8,), (32,), 3)


def test_the_blocks_change_nothing_until_they_have_learned():
    """The first outputs are those of CenterNet's branches, the logits of the centres behind those of the points."""
    torch.manual_seed(0)
    head = DekrBranches(width=3).build(SHAPES, 24, (4,))
    x = torch.randn(B, 24, H, W)
    maps = head([x])
    assert torch.equal(maps["point_offsets"], head.branches["point_offsets"](x))
    assert torch.equal(maps["heatmap"][:, :-1], head.branches["peaks"](x))
    assert torch.equal(maps["heatmap"][:, -1:], head.branches["centre"](x))
    assert maps["heatmap"].sigmoid().mean() < 0.2
    with torch.no_grad():
        head.point_offsets.weight[3] = 1.0
    after = head([x])["point_offsets"]
    changed = (after != maps["point_offsets"]).any(-1).any(-1).any(0)
    assert changed.nonzero()[:, 0].tolist() == [3]
