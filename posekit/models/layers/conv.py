"""Convolution with batch norm and activation, and initialisation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rectify() -> nn.Module:
    """In-place ReLU: only for use after a batch norm or a sum, whose backward pass does not need their output."""
    return nn.ReLU(inplace=True)


def rectify6() -> nn.Module:
    """In-place ReLU6, as `rectify`."""
    return nn.ReLU6(inplace=True)


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, and optionally an activation; keeps the size at stride 1.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd.
        stride: 1 or 2.
        groups: ``before`` makes it depth-wise.
        act: builds the activation; None for a linear layer.
        eps: epsilon of the batch norm.
        momentum: momentum of the batch norm's running statistics.
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
    """Depth-wise 3x3, then 1x1, batch norm and ReLU: about a ninth of the cost of a plain 3x3.

    No norm and ReLU between the two, since norms take most of the time of training on a CPU.
    """

    def __init__(self, before: int, after: int) -> None:
        depthwise = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        super().__init__(depthwise, ConvNormAct(before, after))


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2 the odd cell of padding is right and below.

    Differs from TensorFlow for maps of odd size at stride 2, which do not occur: images are multiples of 32.
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
    """Initialise all convolutions from N(0, 2 / fan out), with the fan out of a group; norms as identity.

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
    """Initialise all convolutions and linear layers from N(0, std^2), with zero biases; norms as identity."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.weight.normal_(0.0, std)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
