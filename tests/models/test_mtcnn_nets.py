"""Sizes and costs of MTCNN's three networks."""

import pytest
import torch

from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.mtcnn import Nets, OutputNet, ProposalNet, RefinementNet


@pytest.mark.parametrize(
    ("net", "parameters", "macs"),
    [(ProposalNet, 6_632, 44_760), (RefinementNet, 100_178, 1_530_768), (OutputNet, 389_040, 12_909_952)],
)
def test_parameters_and_macs_of_a_window(net, parameters, macs):
    with torch.device("meta"):
        made = net()
    assert count_parameters(made) == parameters
    assert count_macs(made, (made.side, made.side)) == macs


@pytest.mark.parametrize(("size", "cells"), [((12, 12), (1, 1)), ((100, 100), (45, 45)), ((13, 31), (2, 11))])
def test_windows_of_the_proposal_net_lie_two_pixels_apart(size, cells):
    maps = ProposalNet()(torch.zeros(2, 3, *size))
    assert maps["face"].shape == (2, 2, *cells)
    assert maps["box"].shape == (2, 4, *cells)


def test_a_cell_of_the_proposal_net_sees_its_twelve_pixels_and_no_others():
    torch.manual_seed(0)
    net = ProposalNet().eval()
    image = torch.rand(1, 3, 40, 52) * 255
    whole = net(image)["box"][0, :, 5, 7]
    alone = net(image[:, :, 10:22, 14:26])["box"][0, :, 0, 0]
    torch.testing.assert_close(whole, alone)


def test_shapes_behind_the_batch_of_the_other_two():
    refined = RefinementNet()(torch.zeros(3, 3, 24, 24))
    assert {name: tuple(value.shape) for name, value in refined.items()} == {"face": (3, 2), "box": (3, 4)}
    last = OutputNet()(torch.zeros(3, 3, 48, 48))
    shapes = {name: tuple(value.shape) for name, value in last.items()}
    assert shapes == {"face": (3, 2), "box": (3, 4), "points": (3, 5, 2)}


def test_the_head_says_all_x_and_then_all_y():
    net = OutputNet()
    torch.nn.init.zeros_(net.points.weight)
    net.points.bias.data = torch.arange(10.0)
    points = net(torch.zeros(2, 3, 48, 48))["points"]
    torch.testing.assert_close(points[1], torch.tensor([[0.0, 5], [1, 6], [2, 7], [3, 8], [4, 9]]))


def test_no_window_at_all_is_no_answer_but_no_error():
    assert OutputNet()(torch.zeros(0, 3, 48, 48))["points"].shape == (0, 5, 2)


def test_moved_networks_are_in_evaluation_mode():
    nets = Nets.drawn().to("cpu")
    assert not any(net.training for net in (nets.proposal, nets.refinement, nets.output))
