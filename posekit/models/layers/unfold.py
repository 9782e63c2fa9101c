"""What lies under a kernel in every cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def exporting() -> bool:
    """Whether this run is recorded into a graph that must hold for every size of the batch."""
    # Older PyTorch does not tell an export from a compilation.
    recorded = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return tracing() or recorded()


def tracing() -> bool:
    """Whether this run is recorded by `torch.jit.trace`, alone or inside the older of PyTorch's ONNX exporters."""
    # PyTorch documents this function and leaves it out of what its type stubs export.
    return bool(torch.jit.is_tracing()) or torch.onnx.is_in_onnx_export()  # type: ignore[attr-defined,no-untyped-call]


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
    reach = dilation * (kernel - 1)
    if not exporting():
        rows, columns = ((side + 2 * padding - reach - 1) // stride + 1 for side in x.shape[-2:])
        taps = F.unfold(x, kernel, dilation, padding, stride)
        return taps.reshape(*x.shape[:2], kernel * kernel, rows, columns)
    padded = F.pad(x, (padding,) * 4) if padding else x
    # Ends are counted from the far side, so that the graph computes no sizes.
    spans = [slice(start, (start - reach) or None, stride) for start in range(0, reach + 1, dilation)]
    lines = [padded[:, :, span] for span in spans]
    return torch.stack([line[..., span] for line in lines for span in spans], dim=2)
