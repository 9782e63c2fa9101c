"""Convolution and pooling whose kernel each cell bends by a guide: pixel-adaptive convolution.

Su et al. 2019, arXiv:1904.05373. Every neighbour's share is the kernel's weight times how much its guide resembles the
middle's (`Affinity`), one number for all channels. All unfold the map: they need as many times its memory as there are
taps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posekit.models.layers.affinity import Affinity, heeded
from posekit.models.layers.unfold import exporting, unfolded


def odd(kernel: int) -> int:
    """The width itself.

    Raises:
        ValueError: it is even.
    """
    if kernel % 2 == 0:
        raise ValueError(f"the kernel must have a middle: expected an odd width, got {kernel}")
    return kernel


def check_guide(guide: Tensor, size: tuple[int, ...], whose: str) -> None:
    """Hold a guide's height and width against those it must have.

    Raises:
        ValueError: they differ.
    """
    # A graph that is recorded must not depend on sizes.
    if not exporting() and tuple(guide.shape[-2:]) != size:
        (high, wide), (rows, columns) = guide.shape[-2:], size
        raise ValueError(f"the guide is {high}x{wide} and the {whose} {rows}x{columns} cells: resize the guide to that")


class _Adaptive(nn.Module):
    """What convolution and pooling share: where the taps lie and how much each is heard."""

    def __init__(
        self,
        kernel: int,
        stride: int,
        padding: int | None,
        dilation: int,
        affinity: Affinity | None,
        normalized: bool,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = odd(kernel), stride, dilation
        self.padding = dilation * (kernel // 2) if padding is None else padding
        self.affinity = Affinity() if affinity is None else affinity
        self.normalized = normalized

    def taps(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, k * k, h, w)."""
        return unfolded(x, self.kernel, self.stride, self.padding, self.dilation)

    def heard(self, guide: Tensor, mask: Tensor | None, by_channel: bool = False) -> Tensor:
        """How much of each tap: (B, 1, k * k, h, w), or (B, G, k * k, h, w) by channel."""
        around = self.taps(guide)
        middle = self.taps(self.affinity.middle(guide)) if self.affinity.smooth != "none" else around
        centre = self.kernel * self.kernel // 2
        affinity = self.affinity(around - middle[:, :, centre : centre + 1], by_channel)
        inside = self.taps(torch.ones_like(guide[:1, :1]))
        seen = None if mask is None else self.taps(mask.to(guide.dtype))
        return heeded(affinity, inside, seen, self.normalized, taps=2)

    def seen(self, mask: Tensor) -> Tensor:
        """Which cells of the result heard of any: (B, 1, H, W) of ones and zeros to (B, 1, h, w)."""
        return self.taps(mask).sum(2).clamp(0, 1)


class PacConv2d(_Adaptive):
    """Pixel-adaptive convolution; where the guide is the same everywhere it is `torch.nn.Conv2d`, weights and all.

    Args:
        before: channels that come in.
        after: channels that go out.
        kernel: width of the square kernel, odd.
        stride: cells that come in for one that goes out.
        padding: cells of zeros around map and guide; unset: half a kernel.
        dilation: cells between two taps.
        bias: add a number a channel.
        affinity: of guides; unset: a Gaussian.
        normalized: the affinities of a window, cells outside the map left out, sum to 1.
        shared: one k x k filter for every channel, which then stays by itself.

    Raises:
        ValueError: the kernel is even, or ``shared`` is to change the number of channels.

    Source: Su et al. 2019. Differs: with a mask, cells outside the map are not taken for masked ones.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        bias: bool = True,
        affinity: Affinity | None = None,
        normalized: bool = False,
        shared: bool = False,
    ) -> None:
        super().__init__(kernel, stride, padding, dilation, affinity, normalized)
        check_shared(shared, before, after)
        self.shared = shared
        self.weight = nn.Parameter(torch.empty(*((1, 1) if shared else (after, before)), kernel, kernel))
        self.bias = nn.Parameter(torch.empty(after)) if bias else None
        draw(self.weight, self.bias, (1 if shared else before) * kernel**2)

    def forward(self, x: Tensor, guide: Tensor, mask: Tensor | None = None) -> Tensor:
        """The map convolved.

        Args:
            x: (B, before, H, W).
            guide: (B, G, H, W).
            mask: (B, 1, H, W), 0 for cells that are not to be heard; `seen` tells whom that leaves with nothing.

        Returns:
            (B, after, h, w).

        Raises:
            ValueError: the guide has another size.
        """
        check_guide(guide, tuple(x.shape[-2:]), "map")
        taps, heard = self.taps(x), self.heard(guide, mask).to(x.dtype)
        if self.shared:
            y = (taps * (heard * self.weight.reshape(-1, 1, 1))).sum(2)
        else:
            columns = (taps * heard).flatten(1, 2).flatten(2)
            y = torch.matmul(self.weight.flatten(1), columns).unflatten(2, taps.shape[-2:])
        return y if self.bias is None else y + self.bias[:, None, None]


class PacPool2d(_Adaptive):
    """Sum over a window by affinity; normalised, a joint bilateral filter. `torch.nn.AvgPool2d` times k * k otherwise.

    Args:
        kernel: width of the window, odd.
        stride: cells that come in for one that goes out.
        padding: cells of zeros around map and guide; unset: half a window.
        dilation: cells between two taps.
        affinity: of guides; unset: a Gaussian.
        normalized: the affinities of a window, cells outside the map left out, sum to 1.
        by_channel: each channel goes by its own channel of the guide.

    Raises:
        ValueError: the window is even.
    """

    def __init__(
        self,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        affinity: Affinity | None = None,
        normalized: bool = False,
        by_channel: bool = False,
    ) -> None:
        super().__init__(kernel, stride, padding, dilation, affinity, normalized)
        self.by_channel = by_channel

    def forward(self, x: Tensor, guide: Tensor, mask: Tensor | None = None) -> Tensor:
        """The map pooled; see `PacConv2d.forward`.

        Raises:
            ValueError: the guide has another size, or by channel another number of channels.
        """
        check_guide(guide, tuple(x.shape[-2:]), "map")
        if self.by_channel and not exporting() and guide.shape[1] != x.shape[1]:
            raise ValueError(f"by channel the guide must have the map's {x.shape[1]} channels; got {guide.shape[1]}")
        return (self.taps(x) * self.heard(guide, mask, self.by_channel).to(x.dtype)).sum(2)


def check_shared(shared: bool, before: int, after: int) -> None:
    """Hold the channels of a layer with one filter for all against each other.

    Raises:
        ValueError: they differ.
    """
    if shared and before != after:
        raise ValueError(f"one filter for every channel keeps their number; got {before} in and {after} out")


@torch.no_grad()
def draw(weight: Tensor, bias: Tensor | None, fan: int) -> None:
    """Uniformly between plus and minus one over the root of the fan, as PyTorch draws convolutions."""
    for parameter in (weight, bias):
        if parameter is not None:
            parameter.uniform_(-(fan**-0.5), fan**-0.5)
