"""Convolutions whose kernel is a mix of several kernels, different for each image.

Dynamic convolution, Chen et al. 2019, arXiv:1912.03458 (softmax attention), and CondConv, Yang et al. 2019,
arXiv:1904.04971 (sigmoid routing): more parameters at hardly more multiply-accumulates.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.models.layers.unfold import exporting, unfolded


def mixed_conv(
    x: Tensor,
    shares: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    kernel: int | None = None,
) -> Tensor:
    """Mix kernels with the attention of each image, and convolve each image with its own kernel.

    A batch runs as one grouped convolution with a group for each image. In an exported graph the number of groups would
    fix the batch size, so there it is a matrix product with the unfolded maps or, for grouped kernels, a weighted sum
    of the output maps of all kernels.

    Args:
        x: (B, C, H, W).
        shares: (B, kernels) attention.
        weight: (kernels, D, C / groups, k, k).
        bias: (kernels, D), or none.
        stride: stride in cells.
        padding: zero padding in cells.
        dilation: dilation in cells.
        groups: groups of channels.
        kernel: k, needed in traced graphs; unset: from the shape of ``weight``.

    Returns:
        (B, D, h, w).

    Source: Chen et al. 2019, arXiv:1912.03458.
    """
    if not exporting():
        y = _side_by_side(x, shares, weight, stride, padding, dilation, groups)
    elif groups > 1:
        # A convolution for each kernel: cheap if each output reads few channels.
        several = (F.conv2d(x, kernel, None, stride, padding, dilation, groups) for kernel in weight.unbind())
        weighted = (maps * share[:, None, None, None] for maps, share in zip(several, shares.unbind(1), strict=True))
        y = cast(Tensor, sum(weighted))
    else:
        taps = unfolded(x, weight.shape[-1] if kernel is None else kernel, stride, padding, dilation)
        own = torch.matmul(shares, weight.flatten(1)).reshape(x.shape[0], weight.shape[1], -1)
        y = torch.matmul(own, taps.flatten(1, 2).flatten(2)).reshape(*own.shape[:2], *taps.shape[-2:])
    return y if bias is None else y + torch.matmul(shares, bias)[..., None, None]


def _side_by_side(
    x: Tensor, shares: Tensor, weight: Tensor, stride: int, padding: int, dilation: int, groups: int
) -> Tensor:
    """One grouped convolution with a group for each image; see `mixed_conv`."""
    batch, channels, height, width = x.shape
    kernels = torch.matmul(shares, weight.flatten(1)).reshape(batch * weight.shape[1], *weight.shape[2:])
    beside = x.reshape(1, batch * channels, height, width)
    y = F.conv2d(beside, kernels, None, stride, padding, dilation, batch * groups)
    return y.reshape(batch, weight.shape[1], *y.shape[-2:])


class Attention(nn.Module):
    """Attention over kernels that sums to 1: global average pooling, two layers, softmax with a temperature.

    There are C / 4 + 1 hidden units, as in the public re-implementation (for images as input, as many as kernels).

    Args:
        channels: input channels.
        kernels: number of kernels.
        temperature: initial temperature; high values make attention uniform, so that all kernels learn. It is a buffer
            and so part of checkpoints.

    Source: Chen et al. 2019, arXiv:1912.03458.
    """

    temperature: Tensor

    def __init__(self, channels: int, kernels: int, temperature: float = 30.0) -> None:
        super().__init__()
        hidden = kernels if channels == 3 else channels // 4 + 1
        self.start = temperature
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.score = nn.Linear(hidden, kernels)
        self.register_buffer("temperature", torch.tensor(float(temperature)))

    def set_temperature(self, value: float) -> None:
        """Set the temperature; 1 in inference.

        Raises:
            ValueError: it is not positive.
        """
        if value <= 0:
            raise ValueError(f"the temperature of a softmax must be positive; got {value}")
        self.temperature.fill_(value)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, kernels)."""
        score = self.score(self.relu(self.squeeze(x.mean((2, 3)))))
        # Half precision overflows at low temperatures.
        exact = score.to(torch.promote_types(score.dtype, torch.float32))
        return torch.softmax(exact / self.temperature, dim=-1).to(score.dtype)


class Routing(nn.Module):
    """Independent routing weights of kernels in (0, 1): global average pooling, one layer, sigmoid.

    Args:
        channels: input channels.
        kernels: number of kernels.

    Source: Yang et al. 2019, arXiv:1904.04971.
    """

    def __init__(self, channels: int, kernels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, kernels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, kernels)."""
        return torch.sigmoid(self.score(x.mean((2, 3))))


class MixedConv2d(nn.Module):
    """A convolution with several kernels, mixed for each image by a module that predicts their weights.

    Every kernel is initialised like that of `torch.nn.Conv2d`.

    Args:
        before: input channels.
        after: output channels.
        share: module from (B, before, H, W) to weights (B, kernels).
        kernel: kernel size.
        stride: stride in cells.
        padding: zero padding in cells; unset: half a kernel, which keeps the size at stride 1.
        dilation: dilation in cells.
        groups: groups of channels.
        bias: add a bias, mixed like the kernels.
        kernels: number of kernels.
    """

    def __init__(
        self,
        before: int,
        after: int,
        share: nn.Module,
        kernel: int,
        stride: int,
        padding: int | None,
        dilation: int,
        groups: int,
        bias: bool,
        kernels: int,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation, self.groups, self.kernels = kernel, stride, dilation, groups, kernels
        self.padding = dilation * (kernel // 2) if padding is None else padding
        self.margin: tuple[int, ...] = ()
        """Zero padding left, right, above and below, in addition to ``padding``; see `SameConv2d`."""
        self.share = share
        self.weight = nn.Parameter(torch.empty(kernels, after, before // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(kernels, after)) if bias else None
        bound = self.weight[0, 0].numel() ** -0.5
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, h, w)."""
        shares = self.share(x)
        x = F.pad(x, self.margin) if self.margin else x
        form = (self.stride, self.padding, self.dilation, self.groups, self.kernel)
        return mixed_conv(x, shares, self.weight, self.bias, *form)

    def macs(self, x: Tensor, y: Tensor) -> int:
        """Multiply-accumulates from ``x`` to ``y``, including the mixing; those of `Attention` are counted there."""
        return self.weight.numel() * x.shape[0] + self.weight[0, 0].numel() * y.numel()


class DynamicConv2d(MixedConv2d):
    """Dynamic convolution: kernels mixed by softmax attention.

    Use no weight decay on ``share``, and lower its temperature to 1 in the first epochs (see
    `posekit.models.rewrite.replacement.anneal`).

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size.
        stride: stride in cells.
        padding: zero padding in cells; unset: half a kernel.
        dilation: dilation in cells.
        groups: groups of channels.
        bias: add a bias.
        kernels: number of kernels.
        temperature: initial temperature of the attention.

    Source: Chen et al. 2019, arXiv:1912.03458.
    """

    share: Attention

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        kernels: int = 4,
        temperature: float = 30.0,
    ) -> None:
        share = Attention(before, kernels, temperature)
        super().__init__(before, after, share, kernel, stride, padding, dilation, groups, bias, kernels)


class CondConv2d(MixedConv2d):
    """CondConv: kernels mixed by independent sigmoid weights.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size.
        stride: stride in cells.
        padding: zero padding in cells; unset: half a kernel.
        dilation: dilation in cells.
        groups: groups of channels.
        bias: add a bias.
        kernels: number of kernels.

    Source: Yang et al. 2019, arXiv:1904.04971.
    """

    share: Routing

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        kernels: int = 8,
    ) -> None:
        share = Routing(before, kernels)
        super().__init__(before, after, share, kernel, stride, padding, dilation, groups, bias, kernels)
