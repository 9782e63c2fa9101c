"""Transposed pixel-adaptive convolution: upsampling that follows the edges of a finer guide.

Su et al. 2019, arXiv:1904.05373. The definition inserts zeros between the cells and convolves. Here each of the output
positions of a cell is a small convolution on the coarse map, which skips the zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.models.layers.affinity import Affinity, heeded
from posekit.models.layers.pixel_adaptive import check_guide, check_shared, draw, odd
from posekit.models.layers.unfold import unfolded


class PacConvTranspose2d(nn.Module):
    """Transposed convolution in which each fine cell reads the coarse cells whose guide is similar to its own.

    With a constant guide it equals `torch.nn.ConvTranspose2d` with the same weights. The published code has its kernel
    flipped in both directions: flip its weights to load them.

    The guide of coarse cell i is that at fine cell ``stride * i + (kernel - 1) / 2 - padding``.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd.
        stride: upsampling factor.
        padding: cells cut off on each side, at most half a kernel; unset: half a kernel.
        output_padding: cells added right and below; unset: so that the output is ``stride`` times as large.
        bias: add a bias.
        affinity: affinity of guides; unset: Gaussian.
        normalized: scale the affinities of the coarse cells of a fine one to sum 1.
        shared: one k x k filter for all channels, which are not mixed.

    Raises:
        ValueError: the kernel size is even, ``shared`` with different numbers of channels, or a padding is too large.
    """

    tap: Tensor

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 5,
        stride: int = 2,
        padding: int | None = None,
        output_padding: int | None = None,
        bias: bool = True,
        affinity: Affinity | None = None,
        normalized: bool = False,
        shared: bool = False,
    ) -> None:
        super().__init__()
        check_shared(shared, before, after)
        self.kernel, self.stride, self.shared, self.normalized = odd(kernel), stride, shared, normalized
        self.padding = kernel // 2 if padding is None else padding
        self.extra = stride + 2 * self.padding - kernel if output_padding is None else output_padding
        if not 0 <= self.padding <= kernel // 2 or not 0 <= self.extra < stride:
            raise ValueError(
                f"a kernel of {kernel} at stride {stride} needs a padding of 0 to {kernel // 2} and an output padding "
                f"of 0 to {stride - 1}; got {self.padding} and {self.extra}"
            )
        self.affinity = Affinity() if affinity is None else affinity
        self.weight = nn.Parameter(torch.empty(*((1, 1) if shared else (before, after)), kernel, kernel))
        self.bias = nn.Parameter(torch.empty(after)) if bias else None
        draw(self.weight, self.bias, (1 if shared else before) * kernel**2)
        # Fine cell stride * q + r reads coarse cells q + first ... q + last, each with one tap or, outside the kernel,
        # with none (index ``kernel``).
        self.first = -((kernel - 1 - self.padding) // stride)
        self.last = (stride - 1 + self.padding) // stride
        self.width = self.last - self.first + 1
        place, cell = torch.arange(stride)[:, None], torch.arange(self.width)
        tap = place + self.padding - stride * (cell + self.first)
        tap = torch.where((tap >= 0) & (tap < kernel), tap, kernel)
        self.register_buffer("tap", tap.flatten(), persistent=False)
        # Fine cells beyond stride times the coarse ones, and the additional coarse cells for them.
        self.over = kernel + self.extra - stride - 2 * self.padding
        self.more = -(-self.over // stride)

    @torch.no_grad()
    def reset_bilinear(self) -> None:
        """Initialise as bilinear upsampling (as `torch.nn.Upsample`, but with zeros outside the map), with zero bias.

        Raises:
            ValueError: the kernel is too small.
        """
        at = (torch.arange(self.kernel) - self.padding + 0.5) / self.stride - 0.5
        tent = (1 - at.abs()).clamp_min(0)
        if abs(float(tent.sum()) - self.stride) > 1e-4:
            raise ValueError(f"bilinear upsampling by {self.stride} does not fit into a kernel of {self.kernel}")
        channels = torch.eye(*self.weight.shape[:2])
        self.weight.copy_(channels[:, :, None, None] * tent[:, None] * tent)
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x: Tensor, guide: Tensor, mask: Tensor | None = None) -> Tensor:
        """Upsample the map.

        Args:
            x: (B, before, H, W).
            guide: (B, G, h, w), h = stride * (H - 1) - 2 * padding + kernel + output_padding, w alike.
            mask: (B, 1, H, W), 0 for coarse cells to leave out.

        Returns:
            (B, after, h, w).

        Raises:
            ValueError: the guide has another size.
        """
        check_guide(guide, tuple(self.stride * side + self.over for side in x.shape[-2:]), "grown map")
        near = self._near(x)
        size = near.shape[-2:]
        # Output positions before channels, and cells flattened: (B, positions, 1, cells, h * w).
        heard = self._heard(x, guide, mask).to(x.dtype).squeeze(1).flatten(3)[:, :, None]
        if self.shared:
            weighted = (heard * self._by_place()).squeeze(2)
            grown = torch.einsum("bcnl,bpnl->bcpl", near.flatten(3), weighted)
        else:
            read = (near.flatten(3)[:, None] * heard).flatten(2, 3)
            grown = torch.matmul(self._by_place(), read).transpose(1, 2)
        whole = F.pixel_shuffle(grown.flatten(1, 2).unflatten(2, size), self.stride)
        y = whole[..., : guide.shape[-2], : guide.shape[-1]]
        return y if self.bias is None else y + self.bias[:, None, None]

    def _near(self, x: Tensor) -> Tensor:
        """The coarse cells around each cell, zeros outside the map: (B, C, cells, h, w)."""
        margin = (-self.first, self.more + self.last)
        return unfolded(F.pad(x, (*margin, *margin)), self.width)

    def _by_place(self) -> Tensor:
        """The kernel by output position: (positions, after, before * cells), or (positions, 1, cells, 1) if shared."""
        padded = F.pad(self.weight, (0, 1, 0, 1))
        form = (self.stride, self.width)
        cut: Tensor = padded.index_select(2, self.tap).index_select(3, self.tap).unflatten(3, form).unflatten(2, form)
        if self.shared:
            return cut[0, 0].permute(0, 2, 1, 3).reshape(self.stride**2, 1, self.width**2, 1)
        return cut.permute(2, 4, 1, 0, 3, 5).flatten(3).flatten(0, 1)

    def _heard(self, x: Tensor, guide: Tensor, mask: Tensor | None) -> Tensor:
        """Affinity of each output position and coarse cell: (B, 1, positions, cells, h, w)."""
        shift = self.kernel // 2 - self.padding
        start = self.stride * self.first + shift
        end = self.stride * (self.more + self.last - 1) + shift - self.over
        coarse = F.pad(guide, (-start, end + 1, -start, end + 1))[..., :: self.stride, :: self.stride]
        rest = self.stride * self.more - self.over
        own = F.pixel_unshuffle(F.pad(self.affinity.middle(guide), (0, rest, 0, rest)), self.stride)
        own = own.unflatten(1, (-1, self.stride**2))
        affinity: Tensor = self.affinity(unfolded(coarse, self.width)[:, :, None] - own[:, :, :, None])
        if mask is None and not self.normalized:
            return affinity
        inside = self._counting(torch.ones_like(x[:1, :1]))
        return heeded(affinity, inside, None if mask is None else self._counting(mask), self.normalized, taps=3)

    def _counting(self, mask: Tensor) -> Tensor:
        """Coarse mask by output position: (B, 1, H, W) to (B, 1, positions, cells, h, w), zeros outside the kernel."""
        within = (self.tap < self.kernel).reshape(self.stride, self.width)
        under = within[:, None, :, None] & within[:, None, :]
        return self._near(mask)[:, :, None] * under.reshape(self.stride**2, self.width**2, 1, 1).to(mask.dtype)
