"""Pixel-adaptive convolution and pooling, whose kernel is adapted in each cell by a guide.

Su et al. 2019, arXiv:1904.05373. Each kernel weight is multiplied by the affinity of the neighbour's and the centre's
guide (`Affinity`), one number for all channels. The layers unfold the map, which takes k * k times its memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posekit.models.layers.affinity import Affinity, heeded
from posekit.models.layers.unfold import exporting, unfolded


def odd(kernel: int) -> int:
    """Return the width if it is odd.

    Raises:
        ValueError: it is even.
    """
    if kernel % 2 == 0:
        raise ValueError(f"the kernel needs a centre: expected an odd size, got {kernel}")
    return kernel


def check_guide(guide: Tensor, size: tuple[int, ...], whose: str) -> None:
    """Check the height and width of a guide.

    Raises:
        ValueError: they differ.
    """
    # An exported graph must not depend on sizes.
    if not exporting() and tuple(guide.shape[-2:]) != size:
        (high, wide), (rows, columns) = guide.shape[-2:], size
        raise ValueError(f"the guide is {high}x{wide} and the {whose} {rows}x{columns} cells: resize the guide to that")


class _Adaptive(nn.Module):
    """Base of convolution and pooling: locations and affinities of the taps."""

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
        """Affinity of each tap: (B, 1, k * k, h, w), or (B, G, k * k, h, w) by channel."""
        around = self.taps(guide)
        middle = self.taps(self.affinity.middle(guide)) if self.affinity.smooth != "none" else around
        centre = self.kernel * self.kernel // 2
        affinity = self.affinity(around - middle[:, :, centre : centre + 1], by_channel)
        inside = self.taps(torch.ones_like(guide[:1, :1]))
        seen = None if mask is None else self.taps(mask.to(guide.dtype))
        return heeded(affinity, inside, seen, self.normalized, taps=2)

    def seen(self, mask: Tensor) -> Tensor:
        """Output cells with at least one valid input: mask (B, 1, H, W) of ones and zeros to (B, 1, h, w)."""
        return self.taps(mask).sum(2).clamp(0, 1)


class PacConv2d(_Adaptive):
    """Pixel-adaptive convolution; with a constant guide it equals `torch.nn.Conv2d` with the same weights.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd.
        stride: stride in cells.
        padding: zero padding of map and guide in cells; unset: half a kernel.
        dilation: dilation in cells.
        bias: add a bias.
        affinity: affinity of guides; unset: Gaussian.
        normalized: scale the affinities of a window, without cells outside the map, to sum 1.
        shared: one k x k filter for all channels, which are not mixed.

    Raises:
        ValueError: the kernel size is even, or ``shared`` with different numbers of channels.

    Source: Su et al. 2019, arXiv:1904.05373. Differs: with a mask, cells outside the map do not count as masked.
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
        """Convolve the map.

        Args:
            x: (B, before, H, W).
            guide: (B, G, H, W).
            mask: (B, 1, H, W), 0 for cells to leave out; `seen` gives the output cells without any input.

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
    """Sum over a window, weighted by affinity; if normalised, a joint bilateral filter.

    Args:
        kernel: window size, odd.
        stride: stride in cells.
        padding: zero padding of map and guide in cells; unset: half a window.
        dilation: dilation in cells.
        affinity: affinity of guides; unset: Gaussian.
        normalized: scale the affinities of a window, without cells outside the map, to sum 1.
        by_channel: use for each channel only the same channel of the guide.

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
        """Pool the map; see `PacConv2d.forward`.

        Raises:
            ValueError: the guide has another size or, with ``by_channel``, another number of channels.
        """
        check_guide(guide, tuple(x.shape[-2:]), "map")
        if self.by_channel and not exporting() and guide.shape[1] != x.shape[1]:
            raise ValueError(f"by channel the guide must have the map's {x.shape[1]} channels; got {guide.shape[1]}")
        return (self.taps(x) * self.heard(guide, mask, self.by_channel).to(x.dtype)).sum(2)


def check_shared(shared: bool, before: int, after: int) -> None:
    """Check the channels of a layer with one filter for all channels.

    Raises:
        ValueError: they differ.
    """
    if shared and before != after:
        raise ValueError(f"a shared filter cannot change the number of channels; got {before} in and {after} out")


@torch.no_grad()
def draw(weight: Tensor, bias: Tensor | None, fan: int) -> None:
    """Initialise uniformly within plus and minus 1 / sqrt(fan), as PyTorch does for convolutions."""
    for parameter in (weight, bias):
        if parameter is not None:
            parameter.uniform_(-(fan**-0.5), fan**-0.5)
