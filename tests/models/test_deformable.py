"""Convolution with moved taps: at rest a plain one, moved as by hand, equal to torchvision's, exported."""

import sys
import types
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import measure
from posekit.models.layers.bilinear import read_between
from posekit.models.layers.deformable import (
    DeformableConv,
    SampledConv2d,
    compiled_operator,
    deformable_conv,
    operator_for,
)

GOLDENS = Path(__file__).with_name("reference") / "deformable.npz"


def test_reading_between_cells_by_hand():
    x = torch.tensor([[1.0, 3.0, 5.0], [7.0, 9.0, 11.0]])[None, None]
    locations = torch.tensor(
        [[0.0, 0.0], [2.0, 1.0], [0.5, 0.0], [1.0, 0.5], [1.5, 0.5], [-0.5, 0.0], [2.0, 1.75], [-1.0, 0.0]]
    )
    expected = torch.tensor([1.0, 11.0, 2.0, 6.0, 7.0, 0.5, 2.75, 0.0])
    torch.testing.assert_close(read_between(x, locations[None, :, None])[0, 0, :, 0], expected)


def test_a_map_of_one_cell_can_be_read():
    locations = torch.tensor([[[[0.0, 0.0], [0.5, 0.0], [0.0, -1.0]]]])
    assert read_between(torch.full((1, 1, 1, 1), 4.0), locations).tolist() == [[[[4.0, 2.0, 0.0]]]]


def test_places_are_as_fine_in_half_precision():
    x = torch.arange(2000.0).expand(1, 1, 3, 2000).bfloat16()
    locations = torch.tensor([[[[1999.0, 1.0]]]])
    assert read_between(x, locations).dtype == torch.bfloat16
    assert read_between(x, locations).item() == x[0, 0, 1, 1999].item()


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "groups", "parts"),
    [(3, 1, 1, 1, 1), (3, 2, 1, 3, 2), (5, 1, 2, 2, 3), (1, 2, 1, 1, 6)],
)
def test_taps_at_rest_are_a_plain_convolution(kernel, stride, dilation, groups, parts):
    layer = SampledConv2d(6, 12, kernel, stride, dilation, groups, parts, bias=True).double()
    x = torch.randn(B, 6, H, W, dtype=torch.float64)
    plain = F.conv2d(x, layer.weight, layer.bias, stride, kernel // 2 * dilation, dilation, groups)
    offset = torch.zeros(B, 2 * parts * kernel**2, *plain.shape[-2:], dtype=torch.float64)
    torch.testing.assert_close(layer(x, offset), plain, atol=1e-12, rtol=0)
    mask = torch.full_like(offset[:, ::2], 0.25)
    bias = layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, offset, mask), bias + 0.25 * (plain - bias), atol=1e-12, rtol=0)


def test_a_whole_step_of_all_taps_shifts_the_map():
    layer = SampledConv2d(K, 4)
    x = torch.randn(B, K, H, W)
    offset = torch.zeros(B, 18, H, W)
    offset[:, 0::2] = 1.0
    # One row down: what is read lies below, so the result moves up.
    inner = layer(x, offset)[:, :, 1:-2, 1:-1]
    torch.testing.assert_close(inner, F.conv2d(x, layer.weight)[:, :, 1:, :])
    offset = torch.zeros(B, 18, H, W)
    offset[:, 1::2] = 2.0
    torch.testing.assert_close(layer(x, offset)[:, :, 1:-1, 1:-3], F.conv2d(x, layer.weight)[:, :, :, 2:])


def test_parts_move_apart():
    layer = SampledConv2d(4, 4, 1, groups=4, parts=2)
    x = torch.randn(B, 4, H, W)
    offset = torch.zeros(B, 4, H, W)
    offset[:, 3] = 1.0
    moved = layer(x, offset) / layer.weight.reshape(1, 4, 1, 1)
    torch.testing.assert_close(moved[:, :2], x[:, :2])
    torch.testing.assert_close(moved[:, 2:, :, :-1], x[:, 2:, :, 1:])
    assert not moved[:, 2:, :, -1].any()


@pytest.mark.parametrize(("modulated", "told"), [(True, 27), (False, 18)])
def test_it_starts_at_rest_and_learns_where_to_read(modulated, told):
    torch.manual_seed(0)
    layer = DeformableConv(K, 7, modulated=modulated)
    x = torch.randn(B, K, H, W)
    plain = F.conv2d(x, layer.weight, padding=1)
    torch.testing.assert_close(layer(x) - layer.bias[:, None, None], plain * (0.5 if modulated else 1.0))
    assert layer.conv_offset_mask.out_channels == told
    layer(x).square().mean().backward()
    assert all(value.grad.abs().sum() > 0 for value in layer.parameters())


def test_gradients():
    layer = SampledConv2d(4, 2, parts=2).double()
    x = torch.randn(2, 4, 4, 3, dtype=torch.float64, requires_grad=True)
    # Away from whole cells, where reading between them has a kink.
    offset = (torch.randint(-2, 3, (2, 36, 4, 3)) + 0.1 + 0.8 * torch.rand(2, 36, 4, 3)).double().requires_grad_()
    mask = torch.rand(2, 18, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x, offset, mask))


def test_it_counts_as_a_plain_convolution_and_the_places_beside_it():
    net = nn.Sequential(DeformableConv(K, 7))
    cost = measure(nn.Sequential(nn.Conv2d(3, K, 1), net), (H, W))["1"]
    assert cost.macs == H * W * 9 * K * (7 + 27)
    assert cost.parameters == 9 * K * (7 + 27) + 7 + 27


def test_what_cannot_be_built_is_said():
    with pytest.raises(ValueError, match="5 channels cannot be split into 2 parts"):
        SampledConv2d(5, 5, parts=2)
    with pytest.raises(ValueError, match="odd size, got 4"):
        DeformableConv(6, 6, kernel=4)


def test_offsets_can_be_reset():
    layer = DeformableConv(K, 7)
    nn.init.ones_(layer.conv_offset_mask.weight)
    nn.init.ones_(layer.conv_offset_mask.bias)
    layer.reset_offsets()
    assert not any(value.any() for value in layer.conv_offset_mask.parameters())


@pytest.mark.parity
def test_torchvision_gives_the_same_values_and_slopes():
    with np.load(GOLDENS) as stored:
        cases, arrays = (
            stored["cases"].tolist(),
            {name: torch.from_numpy(stored[name]) for name in stored if "_" in name},
        )
    assert len(cases) == 5
    for index, (_, _, _, stride, padding, dilation, _, _, modulated) in enumerate(cases):
        names = ["x", "offset", "weight", "bias"] + ["mask"] * modulated
        inputs = {name: arrays[f"{index}_{name}"].requires_grad_() for name in names}
        result = deformable_conv(**inputs, stride=stride, padding=padding, dilation=dilation)
        torch.testing.assert_close(result, arrays[f"{index}_result"], atol=1e-4, rtol=1e-4)
        slopes = torch.autograd.grad(result.square().sum(), inputs.values())
        for name, slope in zip(names, slopes, strict=True):
            torch.testing.assert_close(
                slope, arrays[f"{index}_slope_{name}"], atol=1e-3, rtol=1e-4, msg=f"{index} {name}"
            )


def test_the_compiled_operator_serves_cuda_devices_alone_and_no_traced_graph(monkeypatch):
    monkeypatch.setattr("posekit.models.layers.deformable.compiled_operator", lambda: max)
    here, there = types.SimpleNamespace(is_cuda=False), types.SimpleNamespace(is_cuda=True)
    assert (operator_for(here), operator_for(there)) == (deformable_conv, max)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    assert operator_for(there) is deformable_conv
    monkeypatch.undo()
    monkeypatch.setattr("posekit.models.layers.deformable.compiled_operator", lambda: None)
    assert operator_for(there) is deformable_conv


@pytest.mark.gpu
def test_both_devices_agree():
    layer, x = moved(DeformableConv(6, 7, parts=2)), torch.randn(B, 6, H, W)
    torch.testing.assert_close(layer.cuda()(x.cuda()).cpu(), layer.cpu()(x), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("ops", [True, False, None])
def test_torchvision_counts_only_with_its_compiled_half(monkeypatch, ops):
    torchvision, extension, operators = (types.ModuleType(f"torchvision{tail}") for tail in ("", ".extension", ".ops"))
    extension._has_ops, operators.deform_conv2d = (lambda: ops), deformable_conv
    monkeypatch.setitem(sys.modules, "torchvision", None if ops is None else torchvision)
    monkeypatch.setitem(sys.modules, "torchvision.extension", None if ops is None else extension)
    monkeypatch.setitem(sys.modules, "torchvision.ops", None if ops is None else operators)
    compiled_operator.cache_clear()
    assert compiled_operator() is (deformable_conv if ops else None)
    compiled_operator.cache_clear()


def moved(layer):
    """The layer with taps that move by a cell or so."""
    nn.init.normal_(layer.conv_offset_mask.weight, std=0.3)
    return layer.eval()


def test_torch_export():
    layer = moved(DeformableConv(K, 7, stride=2))
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(layer, (torch.randn(3, K, H, W),), dynamic_shapes={"x": {0: batch}}).module()
    x = torch.randn(B, K, H, W)
    torch.testing.assert_close(exported(x), layer(x))


def test_onnx_at_any_size(tmp_path):
    layer, file = moved(DeformableConv(6, 7, groups=1, parts=2)), str(tmp_path / "layer.onnx")
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            layer,
            (torch.randn(3, 6, H, W),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch", 2: "height", 3: "width"}},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in ((B, 6, H, W), (3, 6, 9, 13)):
        x = torch.randn(size)
        (got,) = session.run(None, {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), layer(x).detach(), atol=1e-4, rtol=1e-4)
