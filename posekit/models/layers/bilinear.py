"""Bilinear sampling and upsampling of maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def read_between(x: Tensor, xy: Tensor) -> Tensor:
    """Sample each map at its own locations, bilinearly, with zeros outside.

    Locations less than a cell outside still interpolate with border cells, as in a deformable convolution.

    Args:
        x: (B, C, H, W).
        xy: (B, P, Q, 2) locations in cells, x first; the centre of the first cell is (0, 0).

    Returns:
        (B, C, P, Q), the dtype of ``x``; differentiable in both.
    """
    # Half precision is too coarse for coordinates in wide maps.
    exact = torch.promote_types(x.dtype, torch.float32)
    height, width = x.shape[-2:]
    # align_corners=False divides by the size, which is never 0, unlike the size minus 1 of a map with one row.
    rows = (2 * xy[..., 1].to(exact) + 1) / height - 1
    columns = (2 * xy[..., 0].to(exact) + 1) / width - 1
    locations = torch.stack((columns, rows), dim=-1)
    read = F.grid_sample(x.to(exact), locations, mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.to(x.dtype)


def grow(x: Tensor, factor: int, centred: bool = True) -> Tensor:
    """Bilinear upsampling by a whole factor, replicating the border.

    Args:
        x: (B, C, H, W).
        factor: even, or 1.
        centred: keep cell centres in place (align_corners=False); False: shifted by half a fine cell down and right, as
            AdelaiDet's "aligned bilinear".

    Returns:
        (B, C, factor * H, factor * W).
    """
    if factor == 1:
        return x
    if centred:
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    height, width = x.shape[-2:]
    longer = F.pad(x, (0, 1, 0, 1), mode="replicate")
    size = (factor * height + 1, factor * width + 1)
    grown = F.interpolate(longer, size=size, mode="bilinear", align_corners=True)
    half = factor // 2
    return F.pad(grown, (half, 0, half, 0), mode="replicate")[..., : factor * height, : factor * width]
