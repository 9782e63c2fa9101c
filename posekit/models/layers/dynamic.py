"""Convolutions that mix their kernel anew for every image.

Dynamic convolution, Chen et al. 2019, arXiv:1912.03458 (shares that sum to 1), and CondConv, Yang et al. 2019,
arXiv:1904.04971 (shares of their own): more parameters at hardly more multiply-accumulates.
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
    """Mix kernels by each image's shares, and convolve each image with its own.

    A batch is one convolution with a group an image, and one image is a plain convolution. In an exported graph the
    number of groups would fix the size of the batch: there it is a product of matrices with the unfolded maps, or, in
    groups, where those would be thin, the kernels' maps mixed.

    Args:
        x: (B, C, H, W).
        shares: (B, kernels).
        weight: (kernels, D, C / groups, k, k).
        bias: (kernels, D), or none.
        stride: cells of ``x`` between two of the result.
        padding: cells of zeros around ``x``.
        dilation: cells between two taps.
        groups: of channels, each convolved alone.
        kernel: k, which a traced graph must be told; unset: that of the weight.

    Returns:
        (B, D, h, w).

    Source: Chen et al. 2019.
    """
    if not exporting():
        y = _side_by_side(x, shares, weight, stride, padding, dilation, groups)
    elif groups > 1:
        # One kernel's maps after another's: cheap where each channel hears of few.
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
    """Every image a group of channels of one convolution; see `mixed_conv`."""
    batch, channels, height, width = x.shape
    kernels = torch.matmul(shares, weight.flatten(1)).reshape(batch * weight.shape[1], *weight.shape[2:])
    beside = x.reshape(1, batch * channels, height, width)
    y = F.conv2d(beside, kernels, None, stride, padding, dilation, batch * groups)
    return y.reshape(batch, weight.shape[1], *y.shape[-2:])


class Attention(nn.Module):
    """Shares of kernels that sum to 1: global mean, two layers, softmax of what they say over a temperature.

    Between the layers there are a quarter of the channels and one more, as in the public re-implementation
    (as many as kernels where the image itself comes in).

    Args:
        channels: that come in.
        kernels: to share.
        temperature: at the start; high ones make equal shares, so that all kernels learn. It is a buffer,
            so checkpoints know how far it has fallen.

    Source: Chen et al. 2019.
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
        """From now on; 1 in use.

        Raises:
            ValueError: it is not positive.
        """
        if value <= 0:
            raise ValueError(f"the temperature of a softmax must be positive; got {value}")
        self.temperature.fill_(value)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, kernels)."""
        score = self.score(self.relu(self.squeeze(x.mean((2, 3)))))
        # Half precision overflows where the temperature is low.
        exact = score.to(torch.promote_types(score.dtype, torch.float32))
        return torch.softmax(exact / self.temperature, dim=-1).to(score.dtype)


class Routing(nn.Module):
    """Shares of kernels between 0 and 1, each for itself: global mean, one layer, sigmoid.

    Args:
        channels: that come in.
        kernels: to share.

    Source: Yang et al. 2019.
    """

    def __init__(self, channels: int, kernels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, kernels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, kernels)."""
        return torch.sigmoid(self.score(x.mean((2, 3))))


class MixedConv2d(nn.Module):
    """Several kernels and what says each one's share, image by image.

    Every kernel is drawn as `torch.nn.Conv2d` draws its one, by the fan of one kernel.

    Args:
        before: channels that come in.
        after: channels that go out.
        share: from (B, before, H, W) to (B, kernels).
        kernel: width of the square kernel.
        stride: cells that come in for one that goes out.
        padding: cells of zeros around the map; unset: half a kernel, which keeps the size at stride 1.
        dilation: cells between two taps.
        groups: of channels, each convolved alone.
        bias: add a number a channel, mixed as the kernels are.
        kernels: how many there are.
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
        """Cells of zeros left, right, above and below, beside ``padding``; see `SameConv2d`."""
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
        """Multiply-accumulates of ``y`` made of ``x``, those of mixing included; `Attention` counts itself."""
        return self.weight.numel() * x.shape[0] + self.weight[0, 0].numel() * y.numel()


class DynamicConv2d(MixedConv2d):
    """Dynamic convolution: kernels mixed in shares that sum to 1.

    Keep weight decay off ``share`` and let its temperature fall to 1 in the first epochs (see
    `posekit.models.rewrite.replacement`).

    Args:
        before: channels that come in.
        after: channels that go out.
        kernel: width of the square kernel.
        stride: cells that come in for one that goes out.
        padding: cells of zeros around the map; unset: half a kernel.
        dilation: cells between two taps.
        groups: of channels, each convolved alone.
        bias: add a number a channel.
        kernels: how many are mixed.
        temperature: of the shares at the start.

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
    """CondConv: kernels mixed in shares that need not sum to 1.

    Args:
        before: channels that come in.
        after: channels that go out.
        kernel: width of the square kernel.
        stride: cells that come in for one that goes out.
        padding: cells of zeros around the map; unset: half a kernel.
        dilation: cells between two taps.
        groups: of channels, each convolved alone.
        bias: add a number a channel.
        kernels: how many are mixed.

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
