"""From a backbone's maps to the named maps: shapes, locations, starts and refusals."""

import pytest
import torch
from sizes import B, H, K, W
from torch import nn

from posekit.models.heads import HEADS
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.shapes import AXES
from posekit.models.heads.simcc import SimCC
from posekit.models.necks import NECKS
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample

CHANNELS, STRIDES = (6, 7, 9, 11), (4, 8, 16, 32)


def features(strides=STRIDES, channels=CHANNELS, height=64, width=96):
    return [torch.randn(B, c, height // s, width // s) for c, s in zip(channels, strides, strict=True)]


def test_the_tables_name_every_kind():
    assert set(NECKS) == {"none", "deconv", "upsample", "dla_up", "guided", "movenet_fpn"}
    assert set(HEADS) == set(AXES) == {"maps", "pooled", "simcc"}
    assert all(config().kind == name for table in (NECKS, HEADS) for name, config in table.items())


@pytest.mark.parametrize("reduction", STRIDES)
def test_no_neck_hands_on_the_map_of_the_wanted_stride(reduction):
    neck = Plain().build(CHANNELS, STRIDES, reduction)
    maps = features()
    index = STRIDES.index(reduction)
    assert neck(maps) is maps[index]
    assert (neck.channels, neck.stride) == (CHANNELS[index], reduction)


def test_no_neck_takes_the_last_of_equal_strides():
    maps = features((16, 16, 16), (5, 5, 5))
    assert Plain().build((5, 5, 5), (16, 16, 16), 16)(maps) is maps[2]


@pytest.mark.parametrize("config", [Deconv(channels=8), Deconv(8, kernel=3), Deconv(8, kernel=2), Upsample(8)])
@pytest.mark.parametrize("reduction", [2, 4, 8, 32])
def test_a_growing_neck_reaches_the_wanted_stride(config, reduction):
    neck = config.build(CHANNELS, STRIDES, reduction)
    grown = neck(features())
    assert neck.stride == reduction
    assert grown.shape == (B, neck.channels, 64 // reduction, 96 // reduction)
    assert neck.channels == (11 if config.kind == "deconv" and reduction == 32 else 8)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_upsample_listens_to_every_finer_map(mode):
    neck = Upsample(8, mode=mode).build(CHANNELS, STRIDES, 4)
    maps = [x.requires_grad_() for x in features()]
    neck(maps).square().sum().backward()
    assert all(x.grad.abs().sum() > 0 for x in maps)


def test_upsample_goes_by_stride_where_a_backbone_repeats_or_lacks_one():
    channels, strides = (5, 6, 7), (16, 16, 16)
    neck = Upsample(8).build(channels, strides, 4)
    assert neck(features(strides, channels)).shape == (B, 8, 16, 24)
    neck = Upsample(8).build((5, 7), (4, 32), 8)
    assert neck(features((4, 32), (5, 7))).shape == (B, 8, 8, 12)


def test_a_deconvolution_with_bilinear_weights_is_bilinear_doubling():
    neck = Deconv(1).build((1,), (8,), 4)
    tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        neck.layers[0].weight.copy_(tent[:, None] * tent[None, :])
    x = torch.rand(B, 1, H, W)
    doubled = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(neck.layers[0](x)[..., 1:-1, 1:-1], doubled[..., 1:-1, 1:-1])


def test_deconvolutions_and_map_heads_start_small():
    torch.manual_seed(0)
    neck = Deconv(64).build((64,), (8,), 4)
    head = Maps().build({"heatmap": (K, H, W)}, 640, (H, W))
    assert neck.layers[0].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert head.maps["heatmap"].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not head.maps["heatmap"].bias.any()


@pytest.mark.parametrize("name", NECKS)
def test_a_neck_refuses_a_stride_it_cannot_reach(name):
    with pytest.raises(ValueError, match=r"the maps need stride 12, but .* backbone.* 32"):
        NECKS[name]().build(CHANNELS, STRIDES, 12)
    with pytest.raises(ValueError, match="the maps need stride 64"):
        NECKS[name]().build(CHANNELS, STRIDES, 64)


def test_map_heads_give_every_named_map():
    shapes = {"heatmap": (K, H, W), "offset": (2 * K, H, W)}
    maps = Maps().build(shapes, 7, (H, W))(torch.randn(B, 7, H, W))
    assert {name: tuple(x.shape) for name, x in maps.items()} == {name: (B, *s) for name, s in shapes.items()}


@pytest.mark.parametrize("config", [Pooled(), Pooled(hidden=9, dropout=0.2)])
def test_pooled_heads_give_numbers_that_start_near_zero(config):
    shapes = {"xy": (K, 2), "spread": (K, 3)}
    head = config.build(shapes, 7, (H, W))
    maps = head(torch.randn(B, 7, H, W))
    assert {name: tuple(x.shape) for name, x in maps.items()} == {name: (B, *s) for name, s in shapes.items()}
    assert all(x.abs().max() < 0.1 for x in maps.values())
    assert any(isinstance(layer, nn.Dropout) for layer in head.modules()) == (config.dropout > 0)


def test_pooled_heads_do_not_see_where():
    head = Pooled().build({"xy": (K, 2)}, 7, (H, W))
    x = torch.randn(B, 7, H, W)
    torch.testing.assert_close(head(x)["xy"], head(x.flip(3))["xy"])


def test_simcc_heads_give_bins_from_each_points_own_map():
    head = SimCC().build({"x": (K, 2 * W), "y": (K, 2 * H)}, 7, (H, W))
    x = torch.randn(B, 7, H, W)
    maps = head(x)
    assert (maps["x"].shape, maps["y"].shape) == ((B, K, 2 * W), (B, K, 2 * H))
    with torch.no_grad():
        head.maps.weight[2] += 1.0
    changed = (head(x)["x"] != maps["x"]).flatten(2).any(-1)
    assert changed.any(0).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("name", "shapes", "fix"),
    [
        (
            "maps",
            {"xy": (K, 2)},
            r"'maps' gives shapes \(C, H, W\) and 'xy' is \(5, 2\): use the head 'pooled' or 'simcc'",
        ),
        ("pooled", {"heatmap": (K, H, W)}, r"'heatmap' is \(5, 16, 12\): use the head 'maps'"),
        ("simcc", {"heatmap": (K, H, W)}, "use the head 'maps'"),
        ("pooled", {"deep": (K, 2, H, W)}, "no head here gives it"),
        ("maps", {}, "at least one map"),
        (
            "simcc",
            {"x": (K, 9), "y": (4, 9)},
            r"same number of points for every output; got 'x' \(5, 9\), 'y' \(4, 9\)",
        ),
        ("maps", {"heatmap": (K, 2 * H, W)}, "'heatmap' is 32x12 cells but the input of the head has 16x12"),
    ],
)
def test_a_head_refuses_shapes_it_cannot_give(name, shapes, fix):
    with pytest.raises(ValueError, match=fix):
        HEADS[name]().build(shapes, 7, (H, W))
