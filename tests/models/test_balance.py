"""Weights brought to one scale: the outputs stay, and a step of one size no longer destroys the network."""

import pytest
import torch
from torch import nn

from posekit.models.backbones.resnet import ResNet
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.onestage import OneStage
from posekit.models.rewrite.balance import Link, balance
from posekit.zoo.weights import load_weights

SHAPES = {"centre": (1, 16, 24), "peaks": (5, 16, 24)}
SIZE = (64, 96)


def assert_alike(after, before):
    """Equal to a ten thousandth of the largest value: sums run in another order."""
    for name, value in before.items():
        assert (after[name] - value).abs().max() <= 1e-4 * value.abs().max(), name


def network(separable=True):
    torch.manual_seed(0)
    head = Branches(channels=12, separable=separable)
    net = OneStage(size=SIZE, backbone=ResNet(18, 0.125), neck=MoveNetFPN(), head=head).build(SHAPES)
    for parameter in net.head.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net.eval()


def spoilt(net):
    """The same function with the last layers of the pyramid at scales far apart."""
    mix = net.neck.neck.mix
    with torch.no_grad():
        for layers, factor in ((mix[0], 100.0), (mix[2], 3000.0)):
            layers[0].weight.mul_(factor)
            layers[1].weight.div_(factor)
    return net


def test_outputs_stay_and_scales_agree():
    net = spoilt(network())
    image = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    with torch.no_grad():
        before = net(image)
    # Three levels of the pyramid with two links each, two branches with two each.
    assert balance(net) == 6 + 4
    with torch.no_grad():
        after = net(image)
    assert_alike(after, before)
    for layers in net.neck.neck.mix:
        sizes = [layer.weight.square().mean().sqrt() for layer in layers if isinstance(layer, nn.Conv2d)]
        assert 0.5 < sizes[0] / sizes[1] < 2


def test_both_sides_of_a_link_have_the_same_norm_in_every_channel():
    torch.manual_seed(1)
    first, second, after = nn.Conv2d(3, 4, 1), nn.Conv2d(5, 4, 1, bias=False), nn.Conv2d(4, 6, 3)
    with torch.no_grad():
        first.weight.mul_(50.0)
        first.weight[2], second.weight[2] = 0.0, 0.0
        kept = after.weight[:, 2].clone()
        Link((first, second), after).balance()
    out = torch.stack([layer.weight.flatten(1).square().mean(1) for layer in (first, second)]).amax(0)
    into = after.weight.transpose(0, 1).flatten(1).square().mean(1)
    live = torch.tensor([0, 1, 3])
    torch.testing.assert_close(out[live], into[live])
    # What is never filled stays as it is, and finite.
    assert torch.equal(after.weight[:, 2], kept)


def test_networks_without_such_parts_are_left_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1))
    before = [parameter.clone() for parameter in net.parameters()]
    assert balance(net) == 0
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    # A plain head has no folded layers; the pyramid has.
    assert balance(network(separable=False)) == 6


def test_the_published_pyramid_is_balanced():
    """Its last layer has weights of 0.0005 behind a map of 280: the reason for all this."""
    net = load_weights("body-s").net.eval()
    last = net.neck.neck.mix[2][1].weight
    assert last.square().mean().sqrt() < 1e-3
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        before = net(image)
        assert balance(net) == 6 + 2 * 6
        after = net(image)
    assert last.square().mean().sqrt() > 0.05
    assert_alike(after, before)


@pytest.mark.parametrize("grad", [False, True])
def test_it_needs_no_gradients(grad):
    net = spoilt(network()).requires_grad_(grad)
    assert balance(net) == 10
    assert all(parameter.grad_fn is None for parameter in net.parameters())
