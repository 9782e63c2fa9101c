"""Rounding while training: by hand, its slopes, its bounds, and what is left of it in a trained network."""

import copy
import warnings
from dataclasses import replace

import onnx
import onnxruntime
import pytest
import torch
from figures import FOUR
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.quantise import FakeQuant, Rounding, steps
from posekit.models.layers.dynamic import DynamicConv2d
from posekit.recipes import RECIPES

EIGHT = FakeQuant(bits=8, follow=0.5)


def net_of(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 2, 2),
        nn.Flatten(),
        nn.Linear(1024, 5),
    )


IMAGE = torch.randn(2, 3, 10, 10, generator=torch.Generator().manual_seed(1))


def test_off_is_the_same_network():
    net = net_of()
    assert FakeQuant().apply(net) is net
    FakeQuant().advance(net, 1.0)
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_before_it_starts_nothing_is_rounded_but_ranges_are_watched():
    plain, net = net_of().train(), EIGHT.apply(net_of()).train()
    EIGHT.advance(net, 0.0)
    assert torch.equal(net(IMAGE), plain(IMAGE))
    assert net[0].rounding.range.tolist() == [IMAGE.min(), IMAGE.max()]
    EIGHT.advance(net, EIGHT.start)
    assert not torch.equal(net(IMAGE), plain(IMAGE))


def test_names_and_values_of_weights_stay():
    plain, net = net_of(), EIGHT.apply(net_of())
    own, extra = plain.state_dict(), net.state_dict()
    assert {name for name in extra if name not in own} == {f"{place}.rounding.range" for place in "035"}
    assert all(torch.equal(extra[name], value) for name, value in own.items())
    assert [name for name, _ in net.named_parameters()] == [name for name, _ in plain.named_parameters()]
    weight = net[0].weight
    net.train()(IMAGE)
    assert net[0].weight is weight


def test_a_layer_by_hand():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.27, 0.004, -0.506], [0.0, -2.54, 0.03]]))
        layer.bias.copy_(torch.tensor([0.5, -0.25]))
    net = EIGHT.apply(nn.Sequential(layer))
    # Steps of the weight: 1.27 / 127 = 0.01 and 2.54 / 127 = 0.02.
    rounded = torch.tensor([[1.27, 0.00, -0.51], [0.0, -2.54, 0.04]])
    torch.testing.assert_close(layer.rounding.weight(layer.weight), rounded)
    # Inputs from -1 to 1.55: steps of 0.01, zero is 100; 0.604 becomes 0.60 and 9 is cut off.
    net.train()(torch.tensor([[-1.0, 0.0, 1.55]]))
    x = torch.tensor([[0.604, -0.296, 9.0]])
    layer.rounding.watches = False
    expected = torch.tensor([[0.60, -0.30, 1.55]]) @ rounded.T + layer.bias
    torch.testing.assert_close(net(x), expected)
    torch.testing.assert_close(net.eval()(x), expected)
    found = steps(net)["0"]
    assert (found.scale, found.zero) == (pytest.approx(0.01), 100)
    torch.testing.assert_close(found.weight, torch.tensor([0.01, 0.02]))


def test_ranges_follow_and_stop_to_follow():
    net = EIGHT.apply(nn.Sequential(nn.Linear(2, 1))).train()
    rounding = net[0].rounding
    net(torch.tensor([[1.0, 4.0]]))
    assert rounding.range.tolist() == [0.0, 4.0]
    net(torch.tensor([[-2.0, 2.0]]))
    assert rounding.range.tolist() == [-1.0, 3.0]
    EIGHT.advance(net, EIGHT.freeze)
    net(torch.tensor([[-8.0, 8.0]]))
    assert rounding.range.tolist() == [-1.0, 3.0]
    EIGHT.advance(net, 0.0)
    net.eval()(torch.tensor([[-8.0, 8.0]]))
    assert rounding.range.tolist() == [-1.0, 3.0]


def test_slopes_pass_straight_through_and_not_beyond_the_range():
    rounding = Rounding(8, 0.5)
    rounding.watch(torch.tensor([-1.0, 1.0]))
    x = torch.tensor([-3.0, -0.5, 0.1, 0.9, 5.0], requires_grad=True)
    rounding.input(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    weight = torch.randn(4, 3, 3, 3, requires_grad=True)
    slope = torch.randn(4, 3, 3, 3)
    rounding.weight(weight).backward(slope)
    assert torch.equal(weight.grad, slope)


@given(st.integers(2, 8), st.floats(-5, 5), st.floats(1e-3, 10), st.integers(0, 2**31))
def test_no_more_than_half_a_step_is_lost(bits, low, width, seed):
    generator = torch.Generator().manual_seed(seed)
    rounding = Rounding(bits, 0.5, axis=1)
    seen = low + width * torch.rand(64, generator=generator)
    rounding.watch(seen)
    scale, zero = rounding.step()
    # Zero is exact, and the ends of the range may give up half a step to that.
    assert rounding.input(torch.zeros(1)).item() == 0
    inside = seen.clamp(float((0 - zero) * scale), float((rounding.top - zero) * scale))
    assert (seen - inside).abs().max() <= 0.501 * scale
    assert (rounding.input(inside) - inside).abs().max() <= 0.501 * scale
    assert rounding.input(seen).unique().numel() <= 2**bits
    weight = torch.randn(3, 5, 2, 2, generator=generator) * width
    error = (rounding.weight(weight) - weight).abs().amax((0, 2, 3))
    assert (error <= 0.501 * rounding.weight_step(weight)).all()
    # The largest weight of each channel is a step itself.
    torch.testing.assert_close(rounding.weight(weight).abs().amax((0, 2, 3)), weight.abs().amax((0, 2, 3)))


def test_a_channel_of_zeros_stays():
    weight = torch.randn(3, 4, 1, 1)
    weight[1] = 0
    rounded = Rounding(8, 0.5).weight(weight)
    assert rounded.isfinite().all()
    assert not rounded[1].any()


def test_folding_a_norm_changes_no_rounded_weight():
    torch.manual_seed(2)
    conv, norm = nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -0.5, 3.0, 0.01, 2.0, -7.0]))
        norm.bias.normal_()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.1, 4)
    folded = fuse_conv_bn_eval(conv.eval(), norm.eval())
    rounding = Rounding(8, 0.5)
    numbers = (rounding.weight(conv.weight) / rounding.weight_step(conv.weight)[:, None, None, None]).round()
    after = (rounding.weight(folded.weight) / rounding.weight_step(folded.weight)[:, None, None, None]).round()
    assert torch.equal(after, numbers * norm.weight.sign()[:, None, None, None])
    image = torch.randn(2, 3, 8, 8)
    apart, together = (EIGHT.apply(nn.Sequential(*layers)) for layers in ((conv, norm), (folded,)))
    for net in (apart, together):
        net[0].rounding.watch(image)
    torch.testing.assert_close(together.eval()(image), apart.eval()(image), rtol=1e-4, atol=1e-4)


def test_a_copy_has_its_own_ranges():
    net = EIGHT.apply(nn.Sequential(nn.Linear(2, 1))).train()
    other = copy.deepcopy(net)
    other(torch.tensor([[1.0, 4.0]]))
    assert net[0].rounding.range.tolist() == [0, 0]
    assert other[0].rounding.range.tolist() == [0, 4]


def test_in_use_it_rounds_as_soon_as_a_range_is_known():
    plain = nn.Sequential(nn.Linear(2, 1))
    net = EIGHT.apply(copy.deepcopy(plain)).eval()
    x = torch.randn(4, 2)
    assert torch.equal(net(x), plain(x))
    net.load_state_dict(net.state_dict() | {"0.rounding.range": torch.tensor([-2.0, 2.0])})
    assert not torch.equal(net(x), plain(x))


def test_a_layer_that_fails_gets_its_weight_back():
    net = EIGHT.apply(nn.Sequential(nn.Linear(2, 1)))
    net[0].rounding.watch(torch.ones(2))
    weight = net[0].weight
    with pytest.raises(RuntimeError, match="shapes"):
        net(torch.ones(1, 3))
    assert net[0].weight is weight


def test_what_cannot_be_rounded_is_told():
    with pytest.raises(ValueError, match="quantise: no layer is left"):
        FakeQuant(bits=8, keep=("0",)).apply(nn.Sequential(nn.Linear(2, 1)))
    with pytest.raises(ValueError, match=r"quantise.keep: the network has no part 'haed'; there is head"):
        FakeQuant(bits=8, keep=("haed",)).apply(nn.ModuleDict({"head": nn.Linear(2, 1)}))
    with pytest.raises(ValueError, match="1 dynamic convolutions have no fixed weights"):
        EIGHT.apply(nn.Sequential(DynamicConv2d(3, 4, 3)))


def test_what_is_kept_does_not_round():
    net = FakeQuant(bits=8, keep=("5",)).apply(net_of())
    assert hasattr(net[0], "rounding") and not hasattr(net[5], "rounding")


def trained(seed=0):
    """A small network of a recipe whose ranges are known."""
    torch.manual_seed(seed)
    recipe = RECIPES["topdown-simcc-tiny"](FOUR, size=(64, 64))
    model = replace(recipe.model, backbone=ResNet(18, 0.125))
    recipe = replace(recipe, model=model, quantise=FakeQuant(bits=8, start=0.0))
    net = recipe.build().train()
    with torch.no_grad():
        net(torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8))
    return net.eval()


def test_an_exported_file_says_how_to_round(tmp_path):
    net, file = trained(), str(tmp_path / "model.onnx")
    image = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(net, (image,), file, dynamo=False, opset_version=17, input_names=["image"])
    kinds = [node.op_type for node in onnx.load(file).graph.node]
    layers = sum(isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) for layer in net.modules())
    assert kinds.count("QuantizeLinear") == kinds.count("DequantizeLinear") == 2 * layers
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": image.numpy()})
    with torch.no_grad():
        expected = net(image)
    for value, other in zip(expected.values(), found, strict=True):
        spread = float(value.std())
        assert float((value - torch.from_numpy(other)).abs().mean()) <= 0.05 * spread
