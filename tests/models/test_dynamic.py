"""Kernels mixed image by image, against each image convolved with the kernel it asked for."""

import warnings

import onnxruntime
import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.layers import dynamic, unfold
from posekit.models.layers.dynamic import Attention, CondConv2d, DynamicConv2d, Routing, mixed_conv
from posekit.models.layers.unfold import unfolded

KINDS = {"dynamic": DynamicConv2d, "condconv": CondConv2d}
FORMS = [
    {"kernel": 3},
    {"kernel": 1, "bias": True},
    {"kernel": 3, "stride": 2, "groups": 6, "bias": True},
    {"kernel": 5, "stride": 2, "padding": 1},
    {"kernel": 3, "dilation": 2, "groups": 2},
]


def drawn(kind="dynamic", before=6, after=12, **form):
    torch.manual_seed(0)
    layer = KINDS[kind](before, after, **form).double()
    with torch.no_grad():
        for parameter in layer.share.parameters():
            parameter.normal_()
    if kind == "dynamic":
        layer.share.set_temperature(1.0)
    return layer


def one_by_one(layer, x):
    """Each image alone, with its own kernel."""
    weights, shares = layer.weight, layer.share(x)
    results = []
    for image, share in zip(x, shares, strict=True):
        weight = sum(part * kernel for part, kernel in zip(share, weights, strict=True))
        bias = None if layer.bias is None else sum(part * own for part, own in zip(share, layer.bias, strict=True))
        form = (layer.stride, layer.padding, layer.dilation, layer.groups)
        results.append(F.conv2d(image[None], weight, bias, *form))
    return torch.cat(results)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_its_images_one_by_one(kind, form):
    layer = drawn(kind, **form)
    x = torch.randn(3, 6, H, W, dtype=torch.float64)
    torch.testing.assert_close(layer(x), one_by_one(layer, x))
    torch.testing.assert_close(layer(x[:1]), one_by_one(layer, x[:1]))


@pytest.mark.parametrize("form", FORMS)
def test_the_form_for_graphs_is_the_same(form, monkeypatch):
    layer = drawn(**form)
    x = torch.randn(3, 6, H, W, dtype=torch.float64)
    expected = layer(x)
    monkeypatch.setattr(dynamic, "exporting", lambda: True)
    monkeypatch.setattr(unfold, "exporting", lambda: True)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("form", [(3, 1, 1, 1), (5, 2, 0, 1), (3, 2, 2, 3), (1, 2, 0, 1)])
def test_unfolded_is_pytorchs(form, monkeypatch):
    x = torch.randn(B, K, H, W)
    kernel, stride, padding, dilation = form
    expected = F.unfold(x, kernel, dilation, padding, stride)
    assert torch.equal(unfolded(x, *form).flatten(3).flatten(1, 2), expected)
    monkeypatch.setattr(unfold, "exporting", lambda: True)
    assert torch.equal(unfolded(x, *form).flatten(3).flatten(1, 2), expected)


def test_one_share_is_that_kernel():
    weight, x = torch.randn(K, 7, 4, 3, 3), torch.randn(B, 4, H, W)
    shares = F.one_hot(torch.tensor((3, 1)), K).float()
    mixed = mixed_conv(x, shares, weight, padding=1)
    for index, kernel in enumerate((3, 1)):
        torch.testing.assert_close(mixed[index], F.conv2d(x, weight[kernel], padding=1)[index])


def test_equal_kernels_do_not_ask_for_shares():
    layer = drawn(kernel=3)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))
    x = torch.randn(B, 6, H, W, dtype=torch.float64)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight[0], padding=1))


def test_shares_at_two_temperatures():
    share = Attention(8, 4)
    with torch.no_grad():
        share.score.weight.zero_()
        share.score.bias.copy_(torch.arange(4.0))
    x = torch.randn(B, 8, H, W)
    hot, cold = (0.2376, 0.2457, 0.2540, 0.2626), (0.0321, 0.0871, 0.2369, 0.6439)
    torch.testing.assert_close(share(x), torch.tensor(hot).expand(B, 4), atol=1e-4, rtol=0)
    share.set_temperature(1.0)
    torch.testing.assert_close(share(x), torch.tensor(cold).expand(B, 4), atol=1e-4, rtol=0)
    # Checkpoints know how cold it is.
    again = Attention(8, 4)
    again.load_state_dict(share.state_dict())
    torch.testing.assert_close(again(x), share(x))
    with pytest.raises(ValueError, match="must be positive; got 0"):
        share.set_temperature(0)


def test_low_temperatures_in_half_precision():
    share = Attention(8, 4).to(torch.bfloat16)
    share.set_temperature(1e-3)
    with torch.no_grad():
        share.score.bias.copy_(torch.tensor((0.0, 1.0, 2.0, 300.0)))
    shares = share(torch.randn(B, 8, H, W).to(torch.bfloat16))
    assert shares.dtype == torch.bfloat16
    assert shares.tolist() == [[0.0, 0.0, 0.0, 1.0]] * B


def test_shares_of_condconv_need_not_sum_to_one():
    share = Routing(8, 4)
    with torch.no_grad():
        share.score.bias.fill_(4.0)
    assert (share(torch.zeros(B, 8, H, W)).sum(-1) > 3.9).all()


def test_counts():
    assert count_parameters(nn.Conv2d(64, 128, 3, bias=False)) == 73_728
    assert count_parameters(DynamicConv2d(64, 128, 3)) == 296_072
    assert count_parameters(DynamicConv2d(64, 128, 3, bias=True)) == 296_072 + 4 * 128
    # From the image itself: as many channels between the layers as kernels.
    assert count_parameters(DynamicConv2d(3, 8, 3)) == 4 * 3 * 8 * 9 + 3 * 4 + 4 * 4 + 4
    assert count_parameters(CondConv2d(64, 128, 3)) == 8 * 73_728 + 64 * 8 + 8


def test_multiply_accumulates():
    static = count_macs(nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False)), (H, W))
    mixed = count_macs(nn.Sequential(DynamicConv2d(3, 6, 3)), (H, W))
    assert static == 3 * 6 * 9 * H * W
    # Four kernels are mixed, and the attention has 3 x 4 and 4 x 4 weights.
    assert mixed == static + 4 * 3 * 6 * 9 + 12 + 16


@pytest.mark.parametrize("kind", KINDS)
def test_every_kernel_is_drawn_by_its_own_fan(kind):
    torch.manual_seed(0)
    layer, plain = KINDS[kind](32, 64, 3, bias=True, kernels=3), nn.Conv2d(32, 64, 3)
    for kernel, bias in zip(layer.weight, layer.bias, strict=True):
        assert kernel.std().item() == pytest.approx(plain.weight.std().item(), rel=0.03)
        assert kernel.abs().max().item() <= 1 / (32 * 9) ** 0.5
        assert bias.abs().max().item() <= 1 / (32 * 9) ** 0.5
    assert not torch.equal(layer.weight[0], layer.weight[1])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_kernel_and_the_shares(kind):
    layer = drawn(kind, before=3, after=4, kernel=3, stride=2, bias=True, kernels=2)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *values))
    layer(x).square().sum().backward()
    assert layer.weight.grad.flatten(1).abs().sum(1).min() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in layer.parameters())


@pytest.mark.parametrize("form", FORMS[:3])
def test_torch_export_for_any_batch(form):
    layer = drawn(**form).float().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    sizes = {"x": {0: batch}}
    exported = torch.export.export(layer, (torch.randn(3, 6, H, W),), dynamic_shapes=sizes).module()
    for count in (1, 5):
        x = torch.randn(count, 6, H, W)
        torch.testing.assert_close(exported(x), layer(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS[:3])
def test_onnx_for_any_batch_and_size(kind, form, tmp_path):
    layer, file = drawn(kind, **form).float().eval(), str(tmp_path / "layer.onnx")
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one, and that it leaves some of the work on sizes undone.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        torch.onnx.export(
            layer,
            (torch.randn(1, 6, H, W),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch", 2: "height", 3: "width"}},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for x in (torch.randn(1, 6, H, W), torch.randn(3, 6, 10, 14)):
        (got,) = session.run(None, {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), layer(x).detach(), atol=1e-4, rtol=1e-4)


def test_two_kinds_of_images_want_two_kernels():
    """A technique in the image turns the target's sign: no one kernel can, two that are chosen between can."""
    torch.manual_seed(0)
    x = torch.randn(64, 2, 6, 5)
    x[:, 1] = torch.tensor((1.0, -1.0)).repeat(32)[:, None, None]
    target = x[:, :1] * x[:, 1:]
    losses = {}
    for name, layer in (("static", nn.Conv2d(2, 1, 1)), ("dynamic", DynamicConv2d(2, 1, 1, bias=True, kernels=2))):
        optimiser = torch.optim.Adam(layer.parameters(), 0.05)
        for step in range(100):
            if name == "dynamic":
                layer.share.set_temperature(max(1.0, 10 - step / 4))
            loss = (layer(x) - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        losses[name] = loss.item()
    assert losses["static"] > 0.8
    assert losses["dynamic"] < 0.1
