"""Deformable convolution: each tap of the kernel samples at a predicted offset.

Dai et al. 2017, arXiv:1703.06211; with a weight for each tap ("v2"), Zhu et al. 2018, arXiv:1811.11168. In plain
PyTorch, so that it trains on any device and can be exported; on CUDA devices torchvision's operator is used if it
loads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from posekit.models.layers.bilinear import read_between
from posekit.models.layers.conv import fill_bias
from posekit.models.layers.unfold import tracing


def deformable_conv(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    mask: Tensor | None = None,
) -> Tensor:
    """Convolve with taps moved by ``offset`` and optionally weighted by ``mask``.

    The number of groups follows from the shape of ``weight``, that of offset groups from the shape of ``offset``.

    Args:
        x: (B, C, H, W).
        offset: (B, 2 * parts * k * k, h, w) in cells, for each part and tap, row by row, first y, then x.
        weight: (D, C / groups, k, k).
        bias: (D,), or none.
        stride: stride in cells.
        padding: zero padding in cells.
        dilation: dilation in cells.
        mask: (B, parts * k * k, h, w), or none for ones.

    Returns:
        (B, D, h, w).

    Source: Zhu et al. 2018, eq. 1. Zeros outside the map, bilinear between its cells.
    """
    batch, channels, _, _ = x.shape
    rows, columns = offset.shape[-2:]
    taps = weight.shape[-1] * weight.shape[-2]
    parts = offset.shape[1] // (2 * taps)
    groups = channels // weight.shape[1]
    locations = _locations(offset, weight.shape[-1], stride, padding, dilation)
    read = read_between(x.reshape(batch * parts, channels // parts, *x.shape[-2:]), locations)
    read = read.reshape(batch, parts, channels // parts, taps, rows * columns)
    if mask is not None:
        read = read * mask.reshape(batch, parts, 1, taps, rows * columns)
    columns_of = read.reshape(batch, groups, weight.shape[1] * taps, rows * columns)
    result = torch.matmul(weight.reshape(groups, -1, weight.shape[1] * taps), columns_of)
    result = result.reshape(batch, weight.shape[0], rows, columns)
    return result if bias is None else result + bias[:, None, None]


def _locations(offset: Tensor, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Sampling locations of the taps: (B * parts, taps * h, w, 2) in cells, x first."""
    rows, columns = offset.shape[-2:]
    dtype, device = torch.promote_types(offset.dtype, torch.float32), offset.device
    move = offset.to(dtype).reshape(-1, kernel, kernel, 2, rows, columns)
    tap = torch.arange(kernel, dtype=dtype, device=device) * dilation - padding
    row = torch.arange(rows, dtype=dtype, device=device)[:, None] * stride + tap[:, None, None, None]
    column = torch.arange(columns, dtype=dtype, device=device) * stride + tap[:, None, None]
    xy = torch.stack((move[:, :, :, 1] + column, move[:, :, :, 0] + row), dim=-1)
    return xy.reshape(-1, kernel * kernel * rows, columns, 2)


@cache
def compiled_operator() -> Callable[..., Tensor] | None:
    """The operator of torchvision, or None if torchvision is missing or its compiled part does not load."""
    try:
        with warnings.catch_warnings():
            # It warns about image codecs, which are not needed here.
            warnings.simplefilter("ignore")
            from torchvision.extension import _has_ops
            from torchvision.ops import deform_conv2d
    except (ImportError, OSError, RuntimeError):
        return None
    return deform_conv2d if _has_ops() else None


def operator_for(x: Tensor) -> Callable[..., Tensor]:
    """The operator for ``x``: torchvision's on a CUDA device if it loads, else ours; always ours in a traced graph.

    On a CPU ours is two to nine times faster in training.
    """
    recorded = tracing() or torch.compiler.is_compiling()
    return deformable_conv if recorded or not x.is_cuda else compiled_operator() or deformable_conv


class SampledConv2d(nn.Conv2d):
    """Deformable convolution with given offsets; with offsets of zero it is a plain convolution.

    Its parameters are those of a plain convolution, so it counts, loads and initialises as one.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd; keeps the size at stride 1.
        stride: stride in cells.
        dilation: dilation in cells.
        groups: groups of channels.
        parts: groups of channels with separate offsets.
        bias: add a bias.

    Raises:
        ValueError: ``before`` is not a multiple of ``parts``, or the kernel is even.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        parts: int = 1,
        bias: bool = False,
    ) -> None:
        if before % parts:
            raise ValueError(f"{before} channels cannot be split into {parts} parts with separate offsets")
        if kernel % 2 == 0:
            raise ValueError(f"the kernel needs a centre: expected an odd size, got {kernel}")
        padding = kernel // 2 * dilation
        super().__init__(before, after, kernel, stride, padding, dilation, groups, bias)
        self.parts = parts

    # Takes more than a plain convolution does: only its parameters are one's.
    def forward(  # type: ignore[override]
        self, x: Tensor, offset: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """See `deformable_conv`."""
        stride, padding, dilation = self.stride[0], int(self.padding[0]), self.dilation[0]
        return operator_for(x)(x, offset, self.weight, self.bias, stride, padding, dilation, mask)


class DeformableConv(SampledConv2d):
    """Deformable convolution that predicts its own offsets with a plain convolution.

    That convolution starts at zero: no tap is moved and, if modulated, every tap has weight 1/2.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd; keeps the size at stride 1.
        stride: stride in cells.
        dilation: dilation in cells.
        groups: groups of channels.
        parts: groups of channels with separate offsets.
        bias: add a bias, as CenterNet does.
        modulated: predict a weight for each tap ("v2").
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        parts: int = 1,
        bias: bool = True,
        modulated: bool = True,
    ) -> None:
        super().__init__(before, after, kernel, stride, dilation, groups, parts, bias)
        self.modulated = modulated
        self.moves = 2 * parts * kernel * kernel
        told = self.moves // 2 * (3 if modulated else 2)
        # The name in CenterNet's files.
        self.conv_offset_mask = nn.Conv2d(before, told, kernel, stride, kernel // 2 * dilation, dilation)
        self.reset_offsets()

    def reset_offsets(self) -> None:
        """Reset the offsets to zero; call it after re-initialising a whole network."""
        nn.init.zeros_(self.conv_offset_mask.weight)
        fill_bias(self.conv_offset_mask)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        told = self.conv_offset_mask(x)
        mask = torch.sigmoid(told[:, self.moves :]) if self.modulated else None
        return super().forward(x, told[:, : self.moves], mask)
