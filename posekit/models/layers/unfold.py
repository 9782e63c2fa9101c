"""Unfold a map: the values under each tap of a kernel, also in exported graphs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def exporting() -> bool:
    """Whether the code is being traced or exported to a graph with a variable batch size."""
    # Older PyTorch cannot distinguish export from compilation.
    recorded = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return tracing() or recorded()


def tracing() -> bool:
    """Whether this run is recorded by `torch.jit.trace`, alone or inside the older of PyTorch's ONNX exporters."""
    # PyTorch documents this function and leaves it out of what its type stubs export.
    return bool(torch.jit.is_tracing()) or torch.onnx.is_in_onnx_export()  # type: ignore[attr-defined,no-untyped-call]


def unfolded(x: Tensor, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    """The values under each tap of a kernel, with zero padding.

    In an exported graph they are sliced tap by tap: `torch.nn.functional.unfold` becomes a gather there, which is two
    to seven times slower.

    Args:
        x: (B, C, H, W).
        kernel: kernel size.
        stride: stride in cells.
        padding: zero padding in cells.
        dilation: dilation in cells.

    Returns:
        (B, C, kernel * kernel, h, w), taps row by row; k * k times as large as the map.
    """
    reach = dilation * (kernel - 1)
    if not exporting():
        rows, columns = ((side + 2 * padding - reach - 1) // stride + 1 for side in x.shape[-2:])
        taps = F.unfold(x, kernel, dilation, padding, stride)
        return taps.reshape(*x.shape[:2], kernel * kernel, rows, columns)
    padded = F.pad(x, (padding,) * 4) if padding else x
    # Ends are counted from the end of the axis, so that the graph computes no sizes.
    spans = [slice(start, (start - reach) or None, stride) for start in range(0, reach + 1, dilation)]
    lines = [padded[:, :, span] for span in spans]
    return torch.stack([line[..., span] for line in lines for span in spans], dim=2)
