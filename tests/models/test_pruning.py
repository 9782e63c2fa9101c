"""Weights that become zero: how many, which, in which layers, and that they stay so."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.pruning import LEAST, Prune, sparsity
from posekit.models.layers.dynamic import DynamicConv2d
from posekit.models.parts import outside

AT_ONCE = {"start": 0.0, "stop": 0.0}


def net_of(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(32, 24)
    )


def test_off_changes_nothing():
    net, prune = net_of(), Prune()
    before = copy.deepcopy(net.state_dict())
    prune.advance(net, 1.0)
    with prune.holding(net):
        pass
    prune.follow(copy.deepcopy(net), net)
    assert prune.off
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_schedule_is_the_published_cubic():
    prune = Prune(share=0.8, start=0.2, stop=0.7)
    assert [prune.at(done) for done in (0.0, 0.19, 0.7, 1.0)] == [0, 0, 0.8, 0.8]
    # Half-way: 0.8 (1 - 0.5^3) = 0.7; at a fifth: 0.8 (1 - 0.8^3) = 0.3904.
    assert prune.at(0.45) == pytest.approx(0.7)
    assert prune.at(0.3001) == pytest.approx(0.3904)


@given(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0, 0.99), st.lists(st.floats(0, 1), min_size=2))
def test_the_share_never_falls(share, start, stop, points):
    prune = Prune(share=share, start=start, stop=stop)
    shares = [prune.at(done) for done in sorted(points)]
    assert shares == sorted(shares)
    assert all(0 <= one <= share for one in shares)


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_the_smallest_weights_go(scope, share):
    net, prune = net_of(), Prune(share=share, scope=scope, **AT_ONCE)
    before = copy.deepcopy(net)
    prune.advance(net, 0.0)
    old, new = prune.weights(before), prune.weights(net)
    # Without the depth-wise kernels: 8 x 3 x 9 and 24 x 32.
    assert [weight.numel() for weight in new] == [216, 768]
    assert torch.equal(net[2].weight, before[2].weight)
    assert torch.equal(net[1].weight, before[1].weight)
    if scope == "global":
        assert sum(int((w == 0).sum()) for w in new) == round(share * 984)
        parts = [(torch.cat([w.flatten() for w in old]), torch.cat([w.flatten() for w in new]))]
    else:
        assert [int((w == 0).sum()) for w in new] == [round(share * 216), round(share * 768)]
        parts = zip(old, new, strict=True)
    for was, now in parts:
        gone = now == 0
        assert torch.equal(now[~gone], was[~gone])
        assert was[gone].abs().max() <= was[~gone].abs().min()


def test_no_layer_is_emptied():
    net = net_of()
    with torch.no_grad():
        net[0].weight.mul_(1e-6)
    prune = Prune(share=0.9, **AT_ONCE)
    prune.advance(net, 0.0)
    first, last = prune.weights(net)
    assert int((first != 0).sum()) == 3  # 1 % of 216, rounded up
    assert sparsity([first, last]) == pytest.approx(0.9, abs=1e-3)
    most = Prune(share=1 - LEAST, **AT_ONCE)
    most.advance(net, 0.0)
    assert [int((w != 0).sum()) for w in most.weights(net)] == [3, 8]


def test_zeros_stay_through_steps_and_reach_the_average():
    net, prune = net_of(), Prune(share=0.6, **AT_ONCE)
    average = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.randn(4, 3, 6, 6)).square().sum().backward()
    optimizer.step()
    prune.advance(net, 0.0)
    zeros = [weight == 0 for weight in prune.weights(net)]
    for _ in range(3):
        net(torch.randn(4, 3, 6, 6)).square().sum().backward()
        with prune.holding(net):
            optimizer.step()
    prune.follow(average, net)
    for weight, averaged, zero in zip(prune.weights(net), prune.weights(average), zeros, strict=True):
        assert torch.equal(weight == 0, zero)
        assert torch.equal(averaged == 0, zero)
    # And the others have moved.
    assert sparsity(prune.weights(net)) == pytest.approx(0.6, abs=1e-3)
    optimizer.step()
    assert sparsity(prune.weights(net)) == 0


def test_a_layer_of_zeros_may_begin_to_learn():
    net, prune = net_of(), Prune(share=0.5, start=0.5, stop=0.8)
    nn.init.zeros_(net[4].weight)
    average = copy.deepcopy(net)
    with prune.holding(net), torch.no_grad():
        net[4].weight.add_(1.0)
    prune.follow(average, net)
    assert (net[4].weight == 1).all()
    assert not average[4].weight.any()


def test_a_second_call_at_the_same_point_changes_nothing():
    net, prune = net_of(), Prune(share=0.5, start=0.0, stop=0.9)
    prune.advance(net, 0.4)
    before = copy.deepcopy(net.state_dict())
    prune.advance(net, 0.4)
    prune.advance(net, 0.2)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_memory_layout_does_not_matter():
    plain, other = net_of(), net_of().to(memory_format=torch.channels_last)
    prune = Prune(share=0.5, **AT_ONCE)
    prune.advance(plain, 0.0)
    prune.advance(other, 0.0)
    assert torch.equal(plain[0].weight, other[0].weight)
    assert (plain[0].weight == 0).any()


def test_what_is_kept_or_frozen_stays():
    net = net_of()
    net[0].requires_grad_(False)
    assert [w.numel() for w in Prune(share=0.5).weights(net)] == [768]
    with pytest.raises(ValueError, match="prune: no layer is left to prune"):
        Prune(share=0.5, keep=("4",)).weights(net)
    with pytest.raises(ValueError, match=r"prune.keep: the network has no part 'layr'; there is 0, 1"):
        Prune(share=0.5, keep=("layr",)).advance(net, 1.0)


def test_parts_outside():
    net = nn.ModuleDict({"a": nn.Sequential(nn.Linear(1, 1)), "b": nn.Linear(1, 1)})
    assert list(outside(net, ["a"], "keep")) == ["", "b"]
    with pytest.raises(ValueError, match=r"keep: the network has no part 'a.1'; there is a"):
        outside(net, ["a.1"], "keep")


def test_backbones_lose_what_was_asked_for():
    for backbone in (ResNet(18, 0.25).build(), MobileNetV2(0.25).build()):
        prune = Prune(share=0.7, **AT_ONCE)
        prune.advance(backbone, 0.0)
        assert sparsity(prune.weights(backbone)) == pytest.approx(0.7, abs=1e-3)
        assert len(prune.weights(backbone)) == sum(
            isinstance(layer, nn.Conv2d) and layer.groups == 1 for layer in backbone.modules()
        )


def test_mixed_kernels_are_pruned_and_depth_wise_ones_are_not():
    net = nn.Sequential(DynamicConv2d(4, 8, 3), DynamicConv2d(8, 8, 3, groups=8))
    found = Prune(share=0.5).weights(net)
    assert [tuple(w.shape) for w in found if w.ndim == 5] == [(4, 8, 4, 3, 3)]
