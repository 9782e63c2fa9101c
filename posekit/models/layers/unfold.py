"""What lies under a kernel in every cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def exporting() -> bool:
    """Whether this run is recorded into a graph that must hold for every size of the batch."""
    # Older PyTorch does not tell an export from a compilation.
    recorded = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return torch.jit.is_tracing() or recorded() or torch.onnx.is_in_onnx_export()


def unfolded(x: Tensor, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    """The cells under each tap of a kernel, zeros around the map.

    In an exported graph they are cut out tap by tap: `torch.nn.functional.unfold` becomes a gather there, which runs
    two to seven times longer.

    Args:
        x: (B, C, H, W).
        kernel: width of the square kernel.
        stride: cells of ``x`` between two of the result.
        padding: cells of zeros around ``x``.
        dilation: cells between two taps.

    Returns:
        (B, C, kernel * kernel, h, w), taps row by row; as large as the map times the taps.
    """
    reach = dilation * (kernel - 1) + 1
    rows, columns = ((side + 2 * padding - reach) // stride + 1 for side in x.shape[-2:])
    if not exporting():
        taps = F.unfold(x, kernel, dilation, padding, stride)
        return taps.reshape(*x.shape[:2], kernel * kernel, rows, columns)
    padded = F.pad(x, (padding,) * 4)
    high, wide = ((size - 1) * stride + 1 for size in (rows, columns))
    starts = [step * dilation for step in range(kernel)]
    cut = [padded[..., top : top + high : stride, left : left + wide : stride] for top in starts for left in starts]
    return torch.stack(cut, dim=2)
