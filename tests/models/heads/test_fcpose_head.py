"""FCPose's head: its published sizes, and filters of each instance applied as by hand."""

import pytest
import torch
from sizes import B
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_parameters
from posekit.models.heads.one_stage.fcpose import FCPoseHead

STRIDES = (8, 16, 32)
POINTS, BEFORE = 5, 24
HEIGHT, WIDTH = 16, 12


def shapes(points, sides=True, size=64):
    counts = {"class": 1, "box": 4, "centreness": 1}
    wanted = {f"{name}_{s}": (n, size // s, size // s) for name, n in counts.items() for s in STRIDES}
    wanted["refine"] = (2 * points, size // 8, size // 8)
    return wanted | ({f"side_{s}": (points, size // s, size // s) for s in (2, 8)} if sides else {})


def small(**options):
    torch.manual_seed(0)
    config = FCPoseHead(channels=32, convs=2, width=8, features=6, hidden=7)
    net = config.build(shapes(POINTS, **options), BEFORE, STRIDES).eval()
    nn.init.normal_(net.controller.weight, std=0.3)
    nn.init.normal_(net.controller.bias, std=0.3)
    nn.init.normal_(net.shared.predictor.weight, std=0.5)
    return net


def pyramid():
    torch.manual_seed(1)
    return [torch.randn(B, BEFORE, HEIGHT >> level, WIDTH >> level) for level in range(3)]


def test_counts():
    net = FCPoseHead().build(shapes(17), 256, STRIDES)
    assert net.layout.total == 2_737
    assert count_parameters(net.controller) == 6_308_785
    assert count_parameters(net.shared) == 1_484_866
    assert count_parameters(net.sides) == 1_505_186
    assert count_parameters(net.detector) == 4_738_566 + len(STRIDES)


@pytest.mark.parametrize("sides", [True, False])
def test_maps_by_name(sides):
    net = small(sides=sides)
    result = net(pyramid())
    names = {f"{name}_{s}" for name in ("class", "box", "centreness", "tower") for s in STRIDES} | {"basis", "refine"}
    assert set(result) == names | ({"side_2", "side_8"} if sides else set())
    assert result["basis"].shape == (B, 6, HEIGHT, WIDTH)
    assert result["refine"].shape == (B, 2 * POINTS, HEIGHT, WIDTH)
    assert result["tower_32"].shape == (B, 32, HEIGHT // 4, WIDTH // 4)
    if sides:
        assert result["side_8"].shape == (B, POINTS, HEIGHT, WIDTH)
        assert result["side_2"].shape == (B, POINTS, 4 * HEIGHT, 4 * WIDTH)


def test_filters_are_those_applied_by_hand():
    net = small().double()
    maps = net([x.double() for x in pyramid()])
    # (column, row) on strides 8, 16 and 32; what lies before each level in the row of cells.
    locations = [(8, 7, 2, 0), (16, 5, 3, HEIGHT * WIDTH), (32, 1, 2, HEIGHT * WIDTH * 5 // 4)]
    cells = torch.tensor([[start + j + i * (WIDTH * 8 // s) for s, j, i, start in locations]] * B)
    found = net.at(maps, cells)
    assert torch.equal(found["cell"], cells)
    assert found["point_maps"].shape == (B, 3, POINTS, HEIGHT, WIDTH)
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    pixels = torch.stack((8 * columns + 4, 8 * rows + 4)).double()
    for image in range(B):
        for number, (stride, j, i, _) in enumerate(locations):
            around = F.pad(maps[f"tower_{stride}"][image], (1, 1, 1, 1))[:, i : i + 3, j : j + 3].flatten()
            theta = around @ net.controller.weight.T + net.controller.bias
            own = torch.tensor([stride * j + stride / 2, stride * i + stride / 2], dtype=torch.float64)
            x = torch.cat(((own[:, None, None] - pixels) / (8 * stride), maps["basis"][image]))[None]
            start = 0
            for layer, (after, before) in enumerate(((7, 8), (7, 7), (POINTS, 7))):
                weight = theta[start : start + after * before].reshape(after, before, 1, 1)
                bias = theta[start + after * before : start + after * before + after]
                start += after * before + after
                x = F.conv2d(x.relu() if layer else x, weight, bias)
            assert start == net.layout.total == len(theta)
            torch.testing.assert_close(found["point_maps"][image, number], x[0])


def test_one_network_for_all_differs_only_by_place():
    net, maps = small(), None
    nn.init.zeros_(net.controller.weight)
    maps = net(pyramid())
    # Instances in the same row of stride 8, two columns apart; and features that are the same everywhere.
    maps["basis"] = torch.ones_like(maps["basis"])
    cells = torch.tensor([[5 * WIDTH + 3, 5 * WIDTH + 5]] * B)
    one, other = net.at(maps, cells)["point_maps"].unbind(1)
    torch.testing.assert_close(one[..., :-2], other[..., 2:])
    assert not torch.allclose(one, other)
    assert one.std() > 1e-3


def test_an_instance_hears_only_the_cells_around_it():
    net, maps = small(), pyramid()
    result = net(maps)
    cells = torch.tensor([[5 * WIDTH + 3, 5 * WIDTH + 5]] * B)
    before = net.at(result, cells)["point_maps"]
    result["tower_8"] = result["tower_8"].clone()
    result["tower_8"][:, :, 5, 6] += 1.0
    after = net.at(result, cells)["point_maps"]
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_everything_learns():
    net = small().train()
    result = net(pyramid())
    cells = torch.arange(4).repeat(B, 1) * 50
    total = sum(value.square().mean() for value in result.values())
    (total + net.at(result, cells)["point_maps"].square().mean()).backward()
    assert [name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()] == []
