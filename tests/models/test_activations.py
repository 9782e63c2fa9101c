"""Activations against hand-computed values, their definitions and their own gradients."""

import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_parameters
from posekit.models.layers.activations import ACTIVATIONS, BY_CHANNEL, IN_PLACE
from posekit.models.layers.frelu import FReLU

AT = torch.tensor((-4.0, -3.0, -1.0, 0.0, 1.0, 3.0, 4.0), dtype=torch.float64)
VALUES = {
    "relu": (0.0, 0.0, 0.0, 0.0, 1.0, 3.0, 4.0),
    "leaky_relu": (-0.04, -0.03, -0.01, 0.0, 1.0, 3.0, 4.0),
    "prelu": (-1.0, -0.75, -0.25, 0.0, 1.0, 3.0, 4.0),
    "silu": (-0.071945, -0.142278, -0.268941, 0.0, 0.731059, 2.857722, 3.928055),
    "hardswish": (0.0, 0.0, -1 / 3, 0.0, 2 / 3, 3.0, 4.0),
    "hardsigmoid": (0.0, 0.0, 1 / 3, 0.5, 2 / 3, 1.0, 1.0),
    "mish": (-0.072592, -0.145647, -0.303401, 0.0, 0.865098, 2.986535, 3.997413),
    "gelu": (-0.000127, -0.004050, -0.158655, 0.0, 0.841345, 2.995950, 3.999873),
}
SLOPES = {
    "silu": (0.072329, 0.5, 0.927671),
    "mish": (0.059217, 0.6, 1.049036),
    "hardswish": (1 / 6, 0.5, 5 / 6),
}
MINIMA = {"silu": (-1.278465, -0.278465), "mish": (-1.192430, -0.308843), "hardswish": (-1.5, -0.375)}


def on_maps(name, x, **changes):
    """The activation of a row of numbers, each a map of one cell."""
    layer = ACTIVATIONS[name](len(x)).to(x.dtype)
    return layer(x.reshape(1, -1, 1, 1)).flatten()


def test_the_table_names_every_activation():
    assert set(ACTIVATIONS) == {*VALUES, "relu6", "frelu", "acon_c", "meta_acon"}
    for name, build in ACTIVATIONS.items():
        layer = build(K)
        assert layer(torch.randn(B, K, H, W)).shape == (B, K, H, W)
        assert (count_parameters(layer) > 0) == (name in BY_CHANNEL)
        assert not getattr(layer, "inplace", False)


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    expected = torch.tensor(VALUES[name], dtype=torch.float64)
    torch.testing.assert_close(on_maps(name, AT), expected, atol=1e-6, rtol=0)


def test_relu6_ends_at_six():
    assert on_maps("relu6", torch.tensor((-1.0, 5.0, 7.0))).tolist() == [0.0, 5.0, 6.0]


@pytest.mark.parametrize("name", SLOPES)
def test_slopes(name):
    x = torch.tensor((-1.0, 0.0, 1.0), dtype=torch.float64, requires_grad=True)
    on_maps(name, x).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor(SLOPES[name], dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", MINIMA)
def test_minima(name):
    x = torch.linspace(-3, 3, 600_001, dtype=torch.float64)
    y = ACTIVATIONS[name](1)(x)
    place, least = MINIMA[name]
    assert y.min().item() == pytest.approx(least, abs=1e-6)
    assert x[y.argmin()].item() == pytest.approx(place, abs=1e-5)


@pytest.mark.parametrize("name", ["silu", "mish", "gelu", "acon_c", "meta_acon", "frelu"])
def test_gradients_once_and_twice(name):
    torch.manual_seed(0)
    layer = ACTIVATIONS[name](3).double()
    x = torch.randn(2, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    parameters = tuple(layer.parameters())

    def run(x, *values):
        return torch.func.functional_call(layer, dict(zip(dict(layer.named_parameters()), values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *parameters))
    assert name == "frelu" or torch.autograd.gradgradcheck(run, (x, *parameters))


@pytest.mark.parametrize("name", ["silu", "mish", "hardswish", "gelu"])
def test_pytorch_keeps_the_input_alone_for_the_way_back(name):
    kept = []
    x = torch.randn(B, K, H, W, requires_grad=True) * 1.0
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        ACTIVATIONS[name](K)(x)
    assert [tensor.data_ptr() for tensor in kept] == [x.data_ptr()]


@pytest.mark.parametrize("name", ["silu", "mish"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_values_in_half_precision(name, dtype):
    x = torch.tensor((-60_000.0, -20.0, 20.0, 60_000.0)).to(dtype).requires_grad_()
    y = ACTIVATIONS[name](1)(x)
    torch.testing.assert_close(y, x.clamp(min=0), atol=1e-6, rtol=1e-3)
    y.sum().backward()
    assert x.grad.isfinite().all()


def test_frelu_by_hand():
    layer = FReLU(2).eval()
    x = torch.randn(B, 2, H, W)
    around = F.conv2d(x, layer.conv.weight, padding=1, groups=2) / (1 + layer.norm.eps) ** 0.5
    torch.testing.assert_close(layer(x), torch.where(around > x, around, x))
    assert count_parameters(layer) == 2 * 11
    torch.manual_seed(0)
    assert FReLU(512).conv.weight.std().item() == pytest.approx(1 / 3, rel=0.05)


def test_acon_between_a_mean_and_a_maximum():
    x = torch.randn(B, K, H, W)
    layer = ACTIVATIONS["acon_c"](K)
    torch.testing.assert_close(layer(x), F.silu(x))
    with torch.no_grad():
        layer.p1.normal_()
        layer.p2.normal_()
        one, two = layer.p1 * x, layer.p2 * x
        layer.beta.zero_()
        torch.testing.assert_close(layer(x), (one + two) / 2)
        layer.beta.fill_(1e6)
        torch.testing.assert_close(layer(x), torch.maximum(one, two), atol=1e-5, rtol=1e-5)
    assert count_parameters(layer) == 3 * K


def test_meta_acon_bends_by_the_mean_of_each_map():
    torch.manual_seed(0)
    layer = ACTIVATIONS["meta_acon"](K)
    x = torch.randn(B, K, H, W)
    beta = torch.sigmoid(
        F.conv2d(
            F.conv2d(x.mean((2, 3), keepdim=True), layer.fc1.weight, layer.fc1.bias), layer.fc2.weight, layer.fc2.bias
        )
    )
    torch.testing.assert_close(layer(x), x * torch.sigmoid(beta * x))
    assert count_parameters(layer) == 2 * K * 16 + 3 * K + 16
    # From 256 channels on the gate is a sixteenth as wide.
    assert count_parameters(ACTIVATIONS["meta_acon"](512)) == 2 * 512 * 32 + 3 * 512 + 32


@pytest.mark.parametrize("kind", IN_PLACE)
def test_in_place_is_sound_where_the_input_is_not_asked_for_again(kind):
    x = torch.randn(B, K, H, W)
    grads = []
    for inplace in (False, True):
        start = x.clone().requires_grad_()
        kind(inplace=inplace)(F.batch_norm(start, None, None, training=True)).square().sum().backward()
        grads.append(start.grad)
    assert torch.equal(*grads)
    assert issubclass(kind, nn.Module)
