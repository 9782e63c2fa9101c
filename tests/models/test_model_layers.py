"""The pieces: rounding, shuffling, squeezing, padding."""

import pytest
import torch
from sizes import B, H, K, W
from torch import nn

from posekit.models.layers.conv import ConvNormAct, SameConv2d, SeparableConv, init_fan_out, init_normal
from posekit.models.layers.divisible import make_divisible
from posekit.models.layers.shuffle import interleave
from posekit.models.layers.squeeze import SqueezeExcite
from posekit.models.layers.stages import stage_ends


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (11, 16), (12, 16), (19, 24), (20, 24), (33.6, 32), (36, 40)]
)
def test_channels_round_to_eight_and_never_below_nine_tenths(channels, rounded):
    assert make_divisible(channels) == rounded
    assert rounded >= 0.9 * channels


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_interleave_lays_channels_alternately(memory_format):
    left = torch.randn(B, K, H, W).to(memory_format=memory_format)
    right = torch.randn(B, K, H, W).to(memory_format=memory_format)
    both = interleave(left, right)
    assert torch.equal(both[:, 0::2], left)
    assert torch.equal(both[:, 1::2], right)
    assert both.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_interleaving_the_halves_of_four_channels_twice_changes_nothing(memory_format):
    x = torch.randn(B, 4, H, W).to(memory_format=memory_format)
    assert torch.equal(interleave(*interleave(*x.chunk(2, 1)).chunk(2, 1)), x)


def test_squeeze_excite_with_an_open_gate_is_the_identity():
    layer = SqueezeExcite(K, 3)
    with torch.no_grad():
        layer.fc2.weight.zero_()
        layer.fc2.bias.fill_(100.0)
    x = torch.randn(B, K, H, W)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.fc2.bias.fill_(-100.0)
    assert not layer(x).any()


def test_separable_convolution_is_depth_wise_then_pointwise():
    depth, (point, *_) = SeparableConv(K, 7)
    assert (depth.groups, depth.kernel_size, point.groups, point.kernel_size) == (K, (3, 3), 1, (1, 1))
    assert SeparableConv(K, 7)(torch.randn(B, K, H, W)).shape == (B, 7, H, W)


def test_a_linear_layer_has_no_activation():
    assert [type(layer) for layer in ConvNormAct(K, 7, act=None)] == [nn.Conv2d, nn.BatchNorm2d]
    assert ConvNormAct(K, 7, 3, 2, eps=1e-3, momentum=0.3)[1].eps == 1e-3


@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_at_stride_two_pads_right_and_below(kernel):
    layer = SameConv2d(2, 3, kernel, 2)
    x = torch.randn(B, 2, H, W)
    # TensorFlow: total = (ceil(size / 2) - 1) * 2 + kernel - size = kernel - 2, its smaller half first.
    first = (kernel - 2) // 2
    padded = torch.zeros(B, 2, H + kernel - 2, W + kernel - 2)
    padded[:, :, first : first + H, first : first + W] = x
    assert torch.equal(layer(x), nn.functional.conv2d(padded, layer.weight, stride=2))
    assert SameConv2d(2, 3, kernel)(x).shape == (B, 3, H, W)


def test_stage_ends_skip_what_is_finer_than_four():
    assert stage_ends((2, 1, 2, 2, 1, 1)) == {4: 2, 8: 5}
    assert stage_ends((2, 2), finest=2) == {2: 0, 4: 1}


def test_initial_spreads():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.Conv2d(128, 128, 3, groups=128, bias=True))
    with torch.no_grad():
        net[1].weight.fill_(3.0)
    init_fan_out(net)
    assert net[0].weight.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.05)
    assert net[2].weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.1)
    assert not net[2].bias.any()
    assert torch.equal(net[1].weight, torch.ones(128))
    head = nn.Sequential(nn.ConvTranspose2d(64, 32, 4), nn.BatchNorm2d(32), nn.Linear(64, 128))
    with torch.no_grad():
        head[1].bias.fill_(3.0)
    init_normal(head, 0.001)
    assert head[0].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert head[2].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not head[0].bias.any() and not head[1].bias.any() and not head[2].bias.any()
