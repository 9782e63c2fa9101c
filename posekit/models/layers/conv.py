"""Convolution, batch norm, activation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rectify() -> nn.Module:
    """ReLU in place: only ever put behind a batch norm or a sum, whose gradients do not need the value."""
    return nn.ReLU(inplace=True)


def rectify6() -> nn.Module:
    """ReLU6 in place, as `rectify`."""
    return nn.ReLU6(inplace=True)


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, and an activation unless there is none; the size is kept at stride 1.

    Args:
        before: channels that come in.
        after: channels that go out.
        kernel: width of the square kernel, odd.
        stride: 1 or 2.
        groups: ``before`` makes it depth-wise.
        act: builds the activation; None for a linear layer.
        eps: of the batch norm.
        momentum: of the batch norm's running statistics.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: Callable[[], nn.Module] | None = rectify,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(after, eps=eps, momentum=momentum),
        ]
        super().__init__(*layers, *([] if act is None else [act()]))


class SeparableConv(nn.Sequential):
    """Depth-wise 3x3, then 1x1, batch norm and ReLU: about a ninth of a plain 3x3's cost.

    No norm and no ReLU between the two: norms are what training on a processor spends most of its time on.
    """

    def __init__(self, before: int, after: int) -> None:
        depthwise = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        super().__init__(depthwise, ConvNormAct(before, after))


class SameConv2d(nn.Conv2d):
    """Convolution padded as TensorFlow pads: at stride 2 the odd cell of padding goes right and below.

    Differs from TensorFlow where a map of odd size meets stride 2: images are multiples of 32 here, so none does.
    """

    def __init__(
        self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        even = stride == 1
        super().__init__(before, after, kernel, stride, kernel // 2 if even else 0, groups=groups, bias=bias)
        first = (kernel - stride) // 2
        last = kernel - stride - first
        self.margin = () if even else (first, last, first, last)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H / stride, W / stride)."""
        return super().forward(F.pad(x, self.margin) if self.margin else x)


@torch.no_grad()
def fill_bias(layer: nn.Conv2d, value: float = 0.0) -> None:
    """Set all numbers of a layer's bias, where it has one."""
    if layer.bias is not None:
        layer.bias.fill_(value)


@torch.no_grad()
def init_fan_out(module: nn.Module) -> None:
    """Draw every convolution below from N(0, 2 / fan out), fan out counted within a group; norms start as identity.

    Source: He et al. 2015, arXiv:1502.01852, eq. 14.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels // layer.groups
            layer.weight.normal_(0.0, (2.0 / fan_out) ** 0.5)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


@torch.no_grad()
def init_normal(module: nn.Module, std: float) -> None:
    """Draw every convolution and linear layer below from N(0, std^2), biases zero; norms start as identity."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.weight.normal_(0.0, std)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
