"""Stacked hourglasses: sizes, cost, and who hears of whom."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from posekit.models.backbones.hourglass import Hourglass, Residual, Waist
from posekit.models.compress.count import count_macs, count_parameters

IMAGE = torch.randn(2, 3, 64, 128)


@pytest.mark.parametrize(
    ("points", "stacks", "parameters"),
    [
        (16, 1, 3_586_960),
        (16, 2, 6_730_912),
        (16, 4, 13_018_816),
        (16, 8, 25_594_624),
        (17, 4, 13_020_612),
        (17, 8, 25_598_472),
    ],
)
def test_parameters(points, stacks, parameters):
    with torch.device("meta"):
        assert count_parameters(Hourglass(points=points, stacks=stacks).build()) == parameters


@pytest.mark.parametrize(("stacks", "gmac"), [(4, 15.36), (8, 28.09)])
def test_multiply_accumulates(stacks, gmac):
    with torch.device("meta"):
        net = Hourglass(points=16, stacks=stacks).build()
        assert count_macs(net, (256, 256)) / 1e9 == pytest.approx(gmac, abs=6e-3)


def test_every_stack_gives_maps_and_learns_from_the_last():
    torch.manual_seed(0)
    net = Hourglass(points=5, stacks=3, channels=16).build()
    maps = net(IMAGE)
    assert (net.channels, net.strides, net.multiple) == ((5, 5, 5), (4, 4, 4), 64)
    assert [tuple(x.shape) for x in maps] == [(2, 5, 16, 32)] * 3
    maps[-1].square().mean().backward()
    silent = {f"stacks.{index}.score.{part}" for index in range(2) for part in ("weight", "bias")}
    grads = {name: value.grad for name, value in net.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None] == []
    assert all(grads[name].any() for name in silent)


def test_a_stack_hears_of_those_before_it_alone():
    torch.manual_seed(0)
    net = Hourglass(points=5, stacks=3, channels=16).build().eval()
    before = net(IMAGE)
    with torch.no_grad():
        net.stacks[1].score.weight.mul_(2.0)
    assert [torch.equal(x, y) for x, y in zip(before, net(IMAGE), strict=True)] == [True, False, False]


def test_a_fresh_residual_is_its_shortcut_where_its_last_convolution_is_silent():
    for before in (6, 8):
        unit, x = Residual(before, 8), torch.randn(2, before, 5, 7)
        nn.init.zeros_(unit.body[-1].weight)
        nn.init.zeros_(unit.body[-1].bias)
        given = x.clone()
        assert torch.equal(unit(x), unit.shortcut(x))
        assert torch.equal(x, given)


def test_an_hourglass_of_identities_adds_the_maxima_of_ever_larger_blocks():
    waist = Waist(2, 4)
    for unit in waist.modules():
        if isinstance(unit, Residual):
            nn.init.zeros_(unit.body[-1].weight)
            nn.init.zeros_(unit.body[-1].bias)
    x = torch.randn(2, 4, 8, 12)
    two, four = (nn.functional.max_pool2d(x, n).repeat_interleave(n, 2).repeat_interleave(n, 3) for n in (2, 4))
    assert torch.equal(waist(x), x + (two + four))


def test_the_config_survives_json_and_refuses_what_does_not_fit():
    adapter = TypeAdapter(Hourglass)
    config = Hourglass(points=5, stacks=3, channels=16)
    assert adapter.validate_json(adapter.dump_json(config)) == config
    with pytest.raises(ValueError, match="multiple of 4"):
        Hourglass(points=5, channels=18)
    with pytest.raises(ValueError, match="stack\n"):
        adapter.validate_python({"kind": "hourglass", "points": 5, "stack": 2})
