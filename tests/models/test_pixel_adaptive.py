"""Kernels bent by a guide, against plain convolutions where the guide says nothing, and by hand where it does."""

import warnings
from functools import partial

import onnxruntime
import pytest
import torch
from sizes import B, H, W
from torch import nn
from torch.nn import functional as F

from posekit.models.layers import pixel_adaptive, unfold
from posekit.models.layers.affinity import Affinity
from posekit.models.layers.pixel_adaptive import PacConv2d, PacPool2d
from posekit.models.layers.pixel_adaptive_up import PacConvTranspose2d

C, D, G = 4, 6, 3
DRAW = torch.Generator().manual_seed(5)
X = torch.randn(B, C, H, W, generator=DRAW, dtype=torch.float64)
GUIDE = torch.randn(B, G, H, W, generator=DRAW, dtype=torch.float64)
SAME = torch.full_like(GUIDE, 0.7)
FORMS = [(3, 1, 1, 1), (5, 1, 0, 1), (3, 2, 1, 1), (3, 2, 2, 3), (1, 1, 0, 1)]
UP = [(5, 2, 2, 1), (3, 2, 1, 1), (3, 2, 0, 0), (5, 3, 1, 2), (7, 4, 3, 3), (3, 4, 0, 0), (3, 1, 1, 0)]


def pac(kernel=3, stride=1, padding=None, dilation=1, after=D, **options):
    torch.manual_seed(0)
    return PacConv2d(C, after, kernel, stride, padding, dilation, **options).double()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("guide", [SAME, torch.zeros_like(GUIDE)])
def test_a_guide_that_is_the_same_everywhere_leaves_a_plain_convolution(form, guide):
    layer, plain = pac(*form), nn.Conv2d(C, D, *form).double()
    plain.load_state_dict(layer.state_dict())
    expected = plain(X)
    # At the border the guide is zero beyond the map, but so is the map.
    torch.testing.assert_close(layer(X, guide), expected)


def test_a_guide_that_differs_everywhere_leaves_the_middle_tap():
    layer = pac()
    spread = 100.0 * torch.arange(1.0, H * W + 1, dtype=torch.float64).reshape(1, 1, H, W).expand(B, 1, H, W)
    expected = F.conv2d(X, layer.weight[:, :, 1:2, 1:2], layer.bias)
    torch.testing.assert_close(layer(X, spread), expected)


def test_a_row_by_hand():
    x, guide = (
        torch.tensor(row, dtype=torch.float64).reshape(1, 1, 1, 3) for row in ((1.0, 2.0, 3.0), (0.0, 1.0, 3.0))
    )
    for normalized, expected in ((False, 3.0125365), (True, 1.7294882)):
        layer = PacConv2d(1, 1, 3, bias=False, normalized=normalized).double()
        with torch.no_grad():
            layer.weight.fill_(1.0)
        assert layer(x, guide)[0, 0, 0, 1].item() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_normalised_affinities_sum_to_one(form):
    pool = PacPool2d(*form, normalized=True).double()
    counted = pool(torch.ones_like(X), GUIDE)
    # Windows that lie outside the map altogether have nothing to sum.
    inside = F.max_pool2d(F.pad(torch.ones_like(X), (form[2],) * 4), form[0], form[1], dilation=form[3])
    torch.testing.assert_close(counted, inside)


@pytest.mark.parametrize("form", FORMS[:3])
def test_pooling_with_an_even_guide_is_the_average_times_the_taps(form):
    kernel, stride, padding, _ = form
    pool = PacPool2d(*form).double()
    torch.testing.assert_close(pool(X, SAME), kernel**2 * F.avg_pool2d(X, kernel, stride, padding))


def test_pooling_by_channel_is_each_channel_alone():
    guide = torch.randn(B, C, H, W, dtype=torch.float64)
    whole = PacPool2d(3, by_channel=True).double()(X, guide)
    for channel in range(C):
        of = slice(channel, channel + 1)
        torch.testing.assert_close(whole[:, of], PacPool2d(3).double()(X[:, of], guide[:, of]))
    with pytest.raises(ValueError, match="by channel the guide must have the map's 4 channels; got 3"):
        PacPool2d(3, by_channel=True)(X, GUIDE)


def test_one_filter_for_all_channels_is_a_depth_wise_one():
    layer = pac(after=C, shared=True)
    assert layer.weight.shape == (1, 1, 3, 3)
    expected = F.conv2d(X, layer.weight.expand(C, 1, 3, 3), layer.bias, padding=1, groups=C)
    torch.testing.assert_close(layer(X, SAME), expected)
    for build in (PacConv2d, PacConvTranspose2d):
        with pytest.raises(ValueError, match="cannot change the number of channels; got 4 in and 6 out"):
            build(C, D, shared=True)


def test_a_step_in_the_guide_lets_nothing_through():
    guide = torch.zeros(B, 1, H, W, dtype=torch.float64)
    guide[..., W // 2 :] = 50.0
    x = X.clone()
    x[..., W // 2 :] += 1000.0
    layer = pac(5)
    torch.testing.assert_close(layer(x, guide)[..., : W // 2], layer(X, guide)[..., : W // 2])


@pytest.mark.parametrize("normalized", [False, True])
def test_masks(normalized):
    layer = pac(bias=False, normalized=normalized)
    mask = (torch.rand(B, 1, H, W, generator=DRAW) > 0.5).double()
    torch.testing.assert_close(layer(X, GUIDE, torch.ones_like(mask)), layer(X, GUIDE))
    loud = X + 1e6 * (1 - mask)
    torch.testing.assert_close(layer(loud, GUIDE, mask), layer(X * mask, GUIDE, mask))
    heard = F.max_pool2d(mask, 3, 1, 1)
    assert torch.equal(layer.seen(mask), heard)
    assert not layer(X, GUIDE, torch.zeros_like(mask)).any()
    if not normalized:
        count, all_of = (F.conv2d(m, mask.new_ones(1, 1, 3, 3), padding=1) for m in (mask, torch.ones_like(mask)))
        expected = F.conv2d(X * mask, layer.weight, padding=1) * all_of / count.clamp_min(1)
        torch.testing.assert_close(layer(X, SAME, mask), expected)


def stuffed(layer, x, guide):
    """Transposed convolution as it is defined: zeros between the cells, then a convolution at stride 1."""
    kernel, stride, channels = layer.kernel, layer.stride, x.shape[1]
    around = kernel - 1 - layer.padding
    sides = [(side - 1) * stride + 1 for side in x.shape[-2:]]

    def windows(values):
        wide = values.new_zeros(*values.shape[:2], *sides)
        wide[..., ::stride, ::stride] = values
        wide = F.pad(wide, (around, around + layer.extra) * 2)
        return F.unfold(wide, kernel).unflatten(1, (values.shape[1], -1))

    guides = F.unfold(guide, kernel, padding=kernel // 2).unflatten(1, (guide.shape[1], -1))
    heard = layer.affinity(guides - layer.affinity.middle(guide).flatten(2)[:, :, None])
    if layer.normalized:
        heard = heard * windows(torch.ones_like(x[:, :1]))
        heard = heard / heard.sum(2, keepdim=True)
    # The kernel the other way round, so that it is PyTorch's.
    weight = layer.weight.expand(channels, -1, kernel, kernel).flip(2, 3)
    weight = weight * torch.eye(channels)[:, :, None, None] if layer.shared else weight
    y = torch.einsum("bctl,btl,cdt->bdl", windows(x), heard[:, 0], weight.flatten(2))
    return y.unflatten(2, guide.shape[-2:]) + layer.bias[:, None, None]


def grown(form, shared=False, guide=None, **options):
    """A layer, what comes in, and a guide of the size that PyTorch's layer would give."""
    torch.manual_seed(0)
    layer = PacConvTranspose2d(C, C if shared else D, *form, shared=shared, **options).double()
    plain = nn.ConvTranspose2d(C, D, *form).double()
    x = torch.randn(B, C, 5, 4, dtype=torch.float64)
    size = plain(x).shape[-2:]
    return (
        layer,
        plain,
        x,
        torch.randn(B, G, *size, dtype=torch.float64) if guide is None else guide.expand(B, G, *size),
    )


@pytest.mark.parametrize("form", UP)
def test_growth_along_an_even_guide_is_pytorchs_weights_and_all(form):
    layer, plain, x, guide = grown(form, guide=torch.full((1, 1, 1, 1), 0.7, dtype=torch.float64))
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x, guide), plain(x))


@pytest.mark.parametrize("form", UP)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shared": True},
        {"normalized": True, "form": UP[0]},
        {"affinity": Affinity("inverse", 0.3, -1.5, one_sided=True, smooth="gaussian")},
    ],
)
def test_growth_is_the_definition(form, options):
    layer, _, x, guide = grown(**{"form": form, **options})
    torch.testing.assert_close(layer(x, guide), stuffed(layer, x, guide))


def test_growth_under_a_mask():
    layer, _, x, guide = grown(UP[0], normalized=True)
    mask = torch.ones(B, 1, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x, guide, mask), layer(x, guide))
    mask[..., 1, 2] = 0
    torch.testing.assert_close(layer(x + 1e6 * (1 - mask), guide, mask), layer(x * mask, guide, mask))


def test_growth_starts_bilinear():
    layer = PacConvTranspose2d(C, C, 5)
    layer.reset_bilinear()
    x = torch.randn(B, C, H, W)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    same = torch.ones(B, G, 2 * H, 2 * W)
    torch.testing.assert_close(layer(x, same)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="bilinear upsampling by 2 does not fit into a kernel of 3"):
        PacConvTranspose2d(C, C, 3).reset_bilinear()


def bilateral(kernel, stride):
    """Joint bilateral growth: no filter but the guide's."""
    layer = PacConvTranspose2d(1, 1, kernel, stride, normalized=True, shared=True, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    return layer


def test_joint_bilateral_growth_of_a_constant_is_that_constant():
    layer, guide = bilateral(5, 2), torch.randn(B, G, 2 * H, 2 * W)
    torch.testing.assert_close(layer(torch.full((B, 1, H, W), 3.5), guide), torch.full((B, 1, 2 * H, 2 * W), 3.5))


def test_joint_bilateral_growth_keeps_an_edge_that_bilinear_growth_blurs():
    colour = torch.zeros(B, 1, 4 * H, 4 * W)
    # The edge lies inside coarse cells and slants.
    rows, columns = torch.arange(4.0 * H)[:, None], torch.arange(4.0 * W)
    colour[:, :, columns > 9 + rows / 3] = 1.0
    truth = 5 * colour + 2
    x = truth[..., ::4, ::4]
    place = torch.stack((columns.expand(4 * H, -1), rows.expand(-1, 4 * W))).expand(B, -1, -1, -1)
    grown = bilateral(9, 4)(x, torch.cat((10 * colour, 0.3 * place), 1))
    plain = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
    errors = [(y - truth).square().mean().sqrt().item() for y in (grown, plain)]
    assert errors[0] < 0.7 * errors[1]


LAYERS = {
    "conv": partial(PacConv2d, 2, 3, stride=2),
    "normalised": partial(PacConv2d, 2, 2, normalized=True, shared=True),
    "pool": partial(PacPool2d, by_channel=True),
    "inverse": partial(PacConv2d, 2, 3, affinity=Affinity("inverse", 0.2, -1.5, True, True, "learned")),
    "grown": partial(PacConvTranspose2d, 2, 3, 3),
    "grown alike": partial(PacConvTranspose2d, 2, 2, 5, normalized=True, shared=True),
}


def inputs(name, batch=1, high=4, wide=3):
    """A map and its guide for one of the layers."""
    x, guide = torch.randn(batch, 2, high, wide), torch.randn(batch, 2, high, wide)
    return (x, guide.repeat(1, 1, 2, 2) * torch.rand(1, 2, 2 * high, 2 * wide)) if "grown" in name else (x, guide)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name):
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    x, guide = (value.double().requires_grad_() for value in inputs(name))
    names, values = zip(*layer.named_parameters(), strict=True) if list(layer.parameters()) else ((), ())

    def run(x, guide, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x, guide))

    assert torch.autograd.gradcheck(run, (x, guide, *values))


@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_keeps_the_dtype_and_not_its_error(name):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    x, guide = inputs(name)
    expected, got = layer(x, guide), layer.to(torch.bfloat16)(x.to(torch.bfloat16), guide.to(torch.bfloat16))
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("name", [pytest.param("conv", marks=pytest.mark.slow), "grown"])
def test_torch_export_for_any_batch(name):
    torch.manual_seed(0)
    layer, batch = LAYERS[name]().eval(), torch.export.Dim("batch", min=1, max=64)
    sizes = ({0: batch}, {0: batch}, None)
    exported = torch.export.export(layer, (*inputs(name, 3), None), dynamic_shapes=sizes).module()
    for count in (1, 5):
        values = inputs(name, count)
        torch.testing.assert_close(exported(*values, None), layer(*values), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_onnx_for_any_batch_and_size(name, tmp_path):
    torch.manual_seed(0)
    layer, file = LAYERS[name]().eval(), str(tmp_path / "layer.onnx")
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one, and that it leaves some of the work on sizes undone.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        torch.onnx.export(
            layer,
            inputs(name, 3),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["x", "guide"],
            dynamic_axes={key: {0: "batch", 2: "height", 3: "width"} for key in ("x", "guide")},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in ((1, 4, 3), (2, 6, 5)):
        x, guide = inputs(name, *size)
        (got,) = session.run(None, {"x": x.numpy(), "guide": guide.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), layer(x, guide).detach(), atol=1e-4, rtol=1e-4)


def test_the_graphs_form_of_unfolding_gives_the_same(monkeypatch):
    layer = pac(3, 2)
    expected = layer(X, GUIDE)
    monkeypatch.setattr(unfold, "exporting", lambda: True)
    torch.testing.assert_close(layer(X, GUIDE), expected)


def test_weights_start_by_their_fan():
    for weight, fan in (
        (PacConv2d(64, 32).weight, 64 * 9),
        (PacConvTranspose2d(64, 32).weight, 64 * 25),
        (PacConv2d(64, 64, 5, shared=True).weight, 25),
    ):
        assert weight.abs().max().item() <= fan**-0.5
        assert weight.std().item() == pytest.approx((3 * fan) ** -0.5, rel=0.35 if fan == 25 else 0.03)


def test_refusals():
    for build in (partial(PacConv2d, C, D), PacPool2d, partial(PacConvTranspose2d, C, D)):
        with pytest.raises(ValueError, match="expected an odd size, got 4"):
            build(4)
    with pytest.raises(ValueError, match="the guide is 16x11 and the map 16x12 cells: resize the guide to that"):
        pac()(X, GUIDE[..., 1:])
    with pytest.raises(ValueError, match="the guide is 16x12 and the grown map 32x24 cells"):
        PacConvTranspose2d(C, D)(X, GUIDE)
    with pytest.raises(ValueError, match="needs a padding of 0 to 1 and an output padding of 0 to 1; got 2 and 3"):
        PacConvTranspose2d(C, D, 3, 2, 2)
    assert pixel_adaptive.odd(3) == 3
