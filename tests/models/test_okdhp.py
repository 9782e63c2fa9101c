"""Branches and their ensemble: sizes, shares, and the one branch that stays."""

import pytest
import torch
from pydantic import TypeAdapter
from sizes import B, H, K, W
from torch import nn

from posekit.models.backbones.hourglass import Hourglass
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.compress.count import count_parameters
from posekit.models.heads.simcc import SimCC
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.okdhp import Aggregation, BranchedHourglass, Peers, blend
from posekit.models.topdown import TopDown

IMAGE = torch.randn(2, 3, 64, 128)
SMALL = BranchedHourglass(points=5, shared=1, own=(2, 1, 3), channels=16)
MAPS = TopDown(size=(64, 96), backbone=ShuffleNetV2(0.5), neck=Upsample(8)), {"heatmap": (5, 16, 24)}
BINS = TopDown(size=(64, 96), backbone=ShuffleNetV2(0.5), neck=Plain(), head=SimCC()), {"x": (5, 96), "y": (5, 64)}


@pytest.mark.parametrize(("shared", "own", "parameters"), [(0, 4, 43_491_504), (2, 2, 30_915_696)])
def test_parameters_of_the_published_networks(shared, own, parameters):
    with torch.device("meta"):
        net = BranchedHourglass(points=16, shared=shared, own=(own,) * 3).build()
    assert count_parameters(net) == parameters
    assert count_parameters(net.aggregation) == 5_461_360


@pytest.mark.parametrize("stacks", [2, 4, 8])
def test_a_branch_is_a_plain_stacked_hourglass(stacks):
    with torch.device("meta"):
        net = BranchedHourglass(points=16, shared=stacks // 2, own=(stacks - stacks // 2,) * 3, channels=8).build()
        plain = Hourglass(points=16, stacks=stacks, channels=8).build()
    for index in range(3):
        state = net.branch(index).state_dict()
        assert [(name, value.shape) for name, value in state.items()] == [
            (name, value.shape) for name, value in plain.state_dict().items()
        ]


def test_shares_sum_to_one_and_follow_the_image():
    unit = Aggregation(6, K, 3, width=8)
    shares = unit(torch.randn(B, 6, H, W))
    assert shares.shape == (B, 3, K)
    torch.testing.assert_close(shares.sum(1), torch.ones(B, K))
    assert not torch.allclose(shares[0], shares[1])


@pytest.mark.parametrize("shape", [(B, K, H, W), (B, K, 7)])
def test_equal_branches_are_their_own_ensemble(shape):
    output = torch.randn(shape)
    shares = torch.randn(B, 4, K).softmax(1)
    torch.testing.assert_close(blend([output] * 4, shares), output)


def test_shares_of_one_branch_pick_it():
    outputs = [torch.randn(B, K, H, W) for _ in range(3)]
    shares = torch.zeros(B, 3, K)
    shares[:, 0, :2] = shares[:, 2, 2:] = 1
    mixed = blend(outputs, shares)
    assert torch.equal(mixed[:, :2], outputs[0][:, :2])
    assert torch.equal(mixed[:, 2:], outputs[2][:, 2:])


def test_the_ensemble_is_of_every_branchs_last_maps():
    torch.manual_seed(0)
    net = SMALL.build()
    told = net(IMAGE)
    assert [len(told.shared), *map(len, told.branches)] == [1, 2, 1, 3]
    assert len(told.outputs) == 7
    assert all(x.shape == (2, 5, 16, 32) for x in (*told.outputs, told.ensemble))
    slopes = torch.autograd.grad(told.ensemble.square().sum(), told.outputs, allow_unused=True)
    # Earlier scores reach it through the stacks behind them.
    assert all(slope is not None and slope.any() for slope in slopes)
    shares = net.aggregation(net.stem(IMAGE))
    torch.testing.assert_close(blend([scores[-1] for scores in told.branches], shares), told.ensemble)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_branch_alone_says_what_it_said_among_the_others(index):
    torch.manual_seed(0)
    net = SMALL.build().eval()
    alone = net.branch(index)
    assert not alone.training
    told = net(IMAGE)
    assert all(torch.equal(x, y) for x, y in zip(alone(IMAGE), [*told.shared, *told.branches[index]], strict=True))
    again = Hourglass(points=5, stacks=1 + SMALL.own[index], channels=16).build().eval()
    again.load_state_dict(alone.state_dict())
    assert torch.equal(again(IMAGE)[-1], told.branches[index][-1])


def test_a_branch_that_is_not_there():
    with pytest.raises(IndexError):
        SMALL.build().branch(3)


def peers(config, shapes, branches=3):
    net = config.build(shapes)
    parts = [(other.neck, other.head) for other in (config.build(shapes) for _ in range(branches - 1))]
    channels = {name: shape[0] for name, shape in shapes.items()}
    unit = Aggregation(net.backbone.channels[0], sum(channels.values()), branches, width=8)
    return net, Peers(parts, unit, channels)


@pytest.mark.parametrize(("config", "shapes"), [MAPS, BINS], ids=["maps", "bins"])
def test_peers_stand_beside_any_net(config, shapes):
    torch.manual_seed(0)
    net, others = peers(config, shapes)
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    features = net.backbone(net.normalize(image))
    own = net.head(net.neck(features))
    said, ensemble = others(features, own)
    assert len(said) == 2
    for maps in (*said, ensemble):
        assert {name: tuple(x.shape[1:]) for name, x in maps.items()} == shapes
    sum(x.square().sum() for maps in (own, *said, ensemble) for x in maps.values()).backward()
    grads = [*net.named_parameters(), *others.named_parameters()]
    assert [name for name, value in grads if value.grad is None] == []


def test_a_branch_of_peers_has_the_names_of_the_net():
    torch.manual_seed(0)
    net, others = peers(*MAPS)
    net.eval(), others.eval()
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    assert others.branch(net, 0) is net
    features = net.backbone(net.normalize(image))
    said, _ = others(features, net.head(net.neck(features)))
    for index in (1, 2):
        alone = others.branch(net, index)
        assert list(alone.state_dict()) == list(net.state_dict())
        assert torch.equal(alone(image)["heatmap"], said[index - 1]["heatmap"])
        assert not torch.equal(alone(image)["heatmap"], net(image)["heatmap"])
    with pytest.raises(ValueError, match="branches 0 to 2; got 3"):
        others.branch(net, 3)


def test_the_config_survives_json_and_wants_two_branches():
    adapter = TypeAdapter(BranchedHourglass)
    assert adapter.validate_json(adapter.dump_json(SMALL)) == SMALL
    with pytest.raises(ValueError, match="own\n"):
        BranchedHourglass(points=5, own=(2,))
    assert isinstance(SMALL.build(), nn.Module)
