"""Filters written for each instance: split, applied as by hand, read from chosen cells, exported."""

import warnings

import onnxruntime
import pytest
import torch
from sizes import B, H, K, N, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_parameters
from posekit.models.layers.generated import Controller, Layout, maps_of, windows

SMALL = Layout(features=4, points=K, hidden=6)
BEFORE = 7


def drawn(layout=SMALL, dtype=torch.float64):
    draw = torch.Generator().manual_seed(5)
    numbers = torch.randn(B, N, layout.total, generator=draw, dtype=dtype)
    features = torch.randn(B, layout.features, H, W, generator=draw, dtype=dtype)
    at = 12 * torch.rand(B, N, 2, generator=draw, dtype=dtype)
    return numbers, features, at, 4 + torch.rand(B, N, generator=draw, dtype=dtype)


def pyramid(dtype=torch.float32):
    return [torch.randn(B, BEFORE, H >> level, W >> level, dtype=dtype) for level in range(3)]


def test_the_published_sizes():
    layout = Layout()
    assert layout.sizes == ((32, 34), (32, 32), (17, 32))
    assert layout.total == 1_120 + 1_056 + 561 == 2_737
    assert count_parameters(Controller(256, layout)) == 6_308_785


def test_numbers_lie_weights_first_row_by_row():
    layout = Layout(features=1, points=2, hidden=4, layers=2)
    (first, first_bias), (last, last_bias) = layout.split(torch.arange(26.0))
    assert first.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert first_bias.tolist() == [12, 13, 14, 15]
    assert last.tolist() == [[16, 17, 18, 19], [20, 21, 22, 23]]
    assert last_bias.tolist() == [24, 25]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="has 2737 numbers for each instance; got 2736"):
        Layout().split(torch.zeros(2, 3, 2736))


@pytest.mark.parametrize("layout", [SMALL, Layout(4, K, 6, layers=1), Layout(4, K, 6, layers=2)], ids=str)
def test_the_same_filters_applied_by_hand(layout):
    numbers, features, at, scale = drawn(layout)
    maps = maps_of(layout.split(numbers), features, at, scale)
    assert maps.shape == (B, N, K, H, W)
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    for image in range(B):
        for instance in range(N):
            place, size = at[image, instance], scale[image, instance]
            z = torch.cat((torch.stack(((place[0] - x) / size, (place[1] - y) / size)), features[image]))[None]
            for index, (weight, bias) in enumerate(layout.split(numbers[image, instance])):
                z = F.conv2d(z.relu() if index else z, weight[..., None, None], bias)
            torch.testing.assert_close(maps[image, instance], z[0])


def test_all_instances_at_once_are_grouped_convolutions():
    numbers, features, at, scale = drawn()
    filters = SMALL.split(numbers[:1])
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    relative = (at[0, :, :, None, None] - torch.stack((x, y))) / scale[0, :, None, None, None]
    z = torch.cat((relative, features[:1].expand(N, -1, -1, -1)), 1).reshape(1, -1, H, W)
    for index, (weight, bias) in enumerate(filters):
        z = F.conv2d(z.relu() if index else z, weight.reshape(-1, weight.shape[-1], 1, 1), bias.flatten(), groups=N)
    torch.testing.assert_close(maps_of(filters, features[:1], at[:1], scale[:1])[0], z.reshape(N, K, H, W))


def test_a_cell_at_the_instance_has_no_place():
    layout = Layout(features=4, points=2, hidden=6, layers=1)
    numbers = torch.zeros(B, N, layout.total)
    # x to the first map, y to the second.
    numbers[..., 0], numbers[..., 7] = 1.0, 1.0
    at = torch.tensor([3.0, 5.0]).expand(B, N, 2)
    maps = maps_of(layout.split(numbers), torch.zeros(B, 4, H, W), at, torch.full((B, N), 8.0))
    assert maps[0, 0, :, 5, 3].tolist() == [0.0, 0.0]
    # One cell to the right and two up.
    assert maps[1, 2, :, 3, 4].tolist() == [-1 / 8, 2 / 8]


def test_gradients_reach_filters_and_features():
    numbers, features, at, scale = drawn()
    numbers, features = numbers[:, :2, :].requires_grad_(), features[..., :3, :2].contiguous().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda n, f: maps_of(SMALL.split(n), f, at[:, :2], scale[:, :2]), (numbers, features)
    )


def test_the_controller_is_a_convolution_read_in_chosen_cells():
    torch.manual_seed(0)
    controller, maps = Controller(BEFORE, SMALL).double(), pyramid(torch.float64)
    weight = controller.weight.reshape(-1, BEFORE, 3, 3)
    dense = torch.cat([F.conv2d(x, weight, controller.bias, padding=1).flatten(2) for x in maps], -1)
    # First and last cells of all levels, and some between.
    first, second, third = (H * W >> 2 * level for level in range(3))
    cells = torch.tensor([[0, first - 1, first], [first + second - 1, first + second, first + second + third - 1]])
    expected = dense.gather(2, cells[:, None].expand(-1, SMALL.total, -1)).transpose(1, 2)
    torch.testing.assert_close(controller(maps, cells), expected)


def test_a_controller_without_weights_writes_the_same_for_all():
    controller = Controller(BEFORE, SMALL)
    nn.init.zeros_(controller.weight)
    nn.init.normal_(controller.bias)
    rows = controller(pyramid(), torch.tensor([[0, 5, 9], [7, 200, 251]]))
    assert torch.equal(rows, controller.bias.expand(B, N, -1))


def test_windows_see_zeros_around_a_level_and_no_other_level():
    maps = [torch.full((1, 2, 4, 3), 1.0), torch.full((1, 2, 2, 2), 5.0)]
    corner, inner, other = windows(maps, torch.tensor([[0, 4, 12]]))[0].reshape(3, 2, 3, 3)
    assert corner[1].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert inner[0].tolist() == [[1, 1, 1]] * 3
    assert other[0].tolist() == [[0, 0, 0], [0, 5, 5], [0, 5, 5]]


class Head(nn.Module):
    """Controller and generated network in a row."""

    def __init__(self):
        super().__init__()
        self.controller = Controller(BEFORE, SMALL)

    def forward(self, fine, coarse, cells, features, at, scale):
        return maps_of(SMALL.split(self.controller((fine, coarse), cells)), features, at, scale)


def test_exports(tmp_path):
    torch.manual_seed(0)
    head, file = Head().eval(), str(tmp_path / "head.onnx")
    nn.init.normal_(head.controller.weight, std=0.2)
    _, features, at, scale = drawn(dtype=torch.float32)
    fine, coarse, _ = pyramid()
    inputs = (fine, coarse, torch.tensor([[3, 0, 191], [192, 239, 57]]), features, at, scale)
    expected = head(*inputs).detach()
    torch.testing.assert_close(torch.export.export(head, inputs).module()(*inputs), expected)
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one, and that it leaves the sizes of the padding as they are.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        names = ["fine", "coarse", "cells", "features", "at", "scale"]
        axes = {name: {0: "batch"} for name in names}
        torch.onnx.export(head, inputs, file, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = [torch.cat((x, x[:1])) for x in inputs]
    (got,) = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
    torch.testing.assert_close(torch.from_numpy(got), head(*given).detach(), atol=1e-4, rtol=1e-4)
