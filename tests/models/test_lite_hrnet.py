"""Lite-HRNet: the published sizes and names, the authors' outputs, and its blocks by hand."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from posekit.models.backbones.lite_hrnet import Exchange, LiteHRNet
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.layers.weighting import AcrossResolutions, ConditionalWeighting, OverSpace
from posekit.models.necks.plain import Plain
from posekit.models.topdown import TopDown
from posekit.models.weights import fill

REFERENCE = Path(__file__).with_name("reference")
sys.path.insert(0, str(REFERENCE))
from drawn_weights import drawn_image, drawn_weights  # noqa: E402

HEATMAP = {"heatmap": (17, 64, 48)}
CASES = {
    "weighting_18": LiteHRNet(18),
    "weighting_30": LiteHRNet(30),
    "naive_18": LiteHRNet(18, "naive"),
    "wider_naive_18": LiteHRNet(18, "wider_naive"),
}


@pytest.fixture(scope="module")
def goldens():
    with np.load(REFERENCE / "lite_hrnet.npz") as file:
        return dict(file)


@pytest.mark.parametrize(("depth", "parameters"), [(18, 1_130_769), (30, 1_763_717)])
def test_parameters_with_a_layer_of_17_points(depth, parameters):
    with torch.device("meta"):
        net = TopDown(backbone=LiteHRNet(depth), neck=Plain()).build(HEATMAP)
    assert count_parameters(net) == parameters


@pytest.mark.parametrize("name", CASES)
def test_names_and_numbers_are_the_authors(name, goldens):
    with torch.device("meta"):
        backbone = CASES[name].build()
    lines = sorted(f"{key} {tuple(value.shape)}\n" for key, value in backbone.state_dict().items())
    assert hashlib.sha256("".join(lines).encode()).hexdigest()[:16] == str(goldens[f"{name}_names"])
    assert count_parameters(backbone) == int(goldens[f"{name}_parameters"])


@pytest.mark.parametrize("name", CASES)
def test_drawn_weights_give_the_authors_maps(name, goldens):
    backbone = CASES[name].build().eval()
    fill(backbone, drawn_weights(backbone.state_dict()), (), name)
    with torch.no_grad():
        finest = backbone(drawn_image())[0]
    expected = torch.from_numpy(goldens[f"{name}_finest"])
    difference = (finest[:, ::5, ::4, ::4] - expected).abs().max()
    assert difference < 1e-4 * expected.abs().max()


def test_the_plain_exchange_is_another_network(goldens):
    backbone = LiteHRNet(exchange="plain").build().eval()
    fill(backbone, drawn_weights(backbone.state_dict()), (), "plain")
    with torch.no_grad():
        finest = backbone(drawn_image())[0]
    expected = torch.from_numpy(goldens["weighting_18_finest"])
    assert (finest[:, ::5, ::4, ::4] - expected).abs().max() > 0.1 * expected.abs().max()


@pytest.mark.parametrize(("depth", "authors"), [(18, 242.3), (30, 386.1)])
def test_multiply_accumulates_are_the_authors_less_what_they_do_twice(depth, authors):
    """Their code runs the paths from the finest branch a second time for the same result."""
    with torch.device("meta"):
        net = TopDown(backbone=LiteHRNet(depth), neck=Plain()).build(HEATMAP)
        twice = 0
        for module in net.backbone.modules():
            if isinstance(module, Exchange):
                paths = nn.ModuleList(fuse[0] for fuse in list(module.fuse_layers)[1:])
                twice += sum(path_macs(path, 64, 48) for path in paths)
        assert (count_macs(net, (256, 192)) + twice) / 1e6 == pytest.approx(authors, abs=0.1)


def path_macs(path, height, width):
    macs = 0
    for layer in path.modules():
        if isinstance(layer, nn.Conv2d):
            height, width = height // layer.stride[0], width // layer.stride[0]
            macs += layer.weight.numel() * height * width
    return macs


def test_gates_across_resolutions_by_hand():
    """One coarsest cell lights the gates of the cells over it alone."""
    unit = AcrossResolutions((4, 8, 4), 8).eval()
    maps = [torch.rand(2, c, 8 >> i, 12 >> i) + 0.5 for i, c in enumerate((4, 8, 4))]
    with torch.no_grad():
        for layer in (unit.conv1, unit.conv2):
            layer.conv.weight.fill_(0.1)
        before = [gated / x for gated, x in zip(unit(maps), maps, strict=True)]
        changed = [x.clone() for x in maps]
        changed[2][:, 1, 1, 2] += 1.0
        after = [gated / x for gated, x in zip(unit(changed), changed, strict=True)]
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        times = 4 >> index
        expected = torch.zeros_like(one, dtype=torch.bool)
        expected[:, :, times : 2 * times, 2 * times : 3 * times] = True
        assert torch.equal(other > one + 1e-6, expected)


def saturate(unit):
    """Gates of exactly 1."""
    with torch.no_grad():
        for layer in unit.modules():
            if isinstance(layer, AcrossResolutions):
                layer.conv2.bn.bias.fill_(1e4)
            if isinstance(layer, OverSpace):
                layer.conv2.conv.bias.fill_(1e4)


def test_a_block_with_open_gates_filters_half_and_interleaves():
    torch.manual_seed(0)
    unit = ConditionalWeighting((8, 16)).eval()
    saturate(unit)
    maps = [torch.randn(2, 8, 8, 12), torch.randn(2, 16, 4, 6)]
    with torch.no_grad():
        for x, y, layer in zip(maps, unit(maps), unit.depthwise_convs, strict=True):
            half = x.shape[1] // 2
            torch.testing.assert_close(y[:, 0::2], x[:, :half], rtol=0, atol=0)
            torch.testing.assert_close(y[:, 1::2], layer(x[:, half:]))


@pytest.mark.parametrize("published", [True, False])
def test_an_exchange_by_hand(published):
    torch.manual_seed(0)
    unit = Exchange((8, 16, 32), "naive", published).eval()
    maps = [torch.randn(2, 8 << i, 8 >> i, 12 >> i) for i in range(3)]
    with torch.no_grad():
        a, b, c = unit.layers(maps)
        f = unit.fuse_layers
        fine = a + f[0][1](b) + f[0][2](c) + (a if published else 0)
        heard, times = (fine, 2) if published else (a, 1)
        expected = [fine, times * f[1][0](heard) + b + f[1][2](c), times * f[2][0](heard) + f[2][1](b) + c]
        for one, other in zip(unit(maps), expected, strict=True):
            torch.testing.assert_close(one, other.relu())


@pytest.mark.slow
def test_it_leaves_for_onnx_as_it_is(tmp_path):
    net = TopDown(size=(64, 96), backbone=LiteHRNet(), neck=Plain()).build({"heatmap": (5, 16, 24)}).eval()
    fill(net.backbone, drawn_weights(net.backbone.state_dict()), (), "drawn")
    image = drawn_image()
    file = tmp_path / "net.onnx"
    with pytest.warns((DeprecationWarning, FutureWarning, UserWarning)):
        torch.onnx.export(net, (image,), str(file), input_names=["image"], output_names=["heatmap"], dynamo=False)
    with torch.no_grad():
        expected = net(image)["heatmap"].numpy()
    (given,) = onnxruntime.InferenceSession(str(file)).run(None, {"image": image.numpy()})
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
