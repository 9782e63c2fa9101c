"""Widths of Gaussians that follow from the box of the instance, and oriented Gaussians."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import SMALLEST, in_bands

NARROWEST = 1 / 6
"""Smallest sigma in cells: 3 sigma are half a cell, so that a Gaussian keeps at least its peak cell."""


def corner_radius(height: Tensor, width: Tensor, iou: float, compat: bool = False) -> Tensor:
    """How far both corners of a box may move while its IoU with the original box stays at least ``iou``.

    Args:
        height: (...) of the boxes.
        width: (...) of the boxes.
        iou: least IoU, between 0 and 1.
        compat: the formula of CenterNet's code, which lacks a factor in its roots: 2.8 times as wide at 0.7.

    Returns:
        (...) in the unit of the sizes; the smallest of three cases: both corners move alike, inwards, or outwards.

    Source: CornerNet, arXiv:1808.01244 and its author's correction of the code.
    """
    total, area = height + width, height * width
    if compat:
        return 4 * iou * _outward(total, area, iou)
    alike = (total - (total.square() - 4 * area * (1 - iou) / (1 + iou)).clamp_min(0).sqrt()) / 2
    inward = (2 * total - (4 * total.square() - 16 * area * (1 - iou)).clamp_min(0).sqrt()) / 8
    return torch.minimum(torch.minimum(alike, inward), _outward(total, area, iou))


def _outward(total: Tensor, area: Tensor, iou: float) -> Tensor:
    return (-2 * iou * total + (4 * iou**2 * total.square() + 16 * iou * area * (1 - iou)).sqrt()) / (8 * iou)


def radius_sigma(radius: Tensor) -> tuple[Tensor, Tensor]:
    """Radius R rounded down to whole cells, and the sigma of the Gaussian that fills it: (2 R + 1) / 6.

    Args:
        radius: (...) cells, at least 0.
    """
    # Differences of nearly equal roots may be slightly negative.
    whole = radius.clamp_min(0.0).floor()
    return whole, (2 * whole + 1) / 6


def ellipse_radius(size: Tensor, alpha: float) -> Tensor:
    """Radii of TTFNet's Gaussian: ``alpha / 2`` times the box along each axis.

    Args:
        size: (..., 2) width and height of the box in cells.
        alpha: fraction of the box.

    Source: TTFNet, arXiv:1909.00700.
    """
    return alpha / 2 * size


def oriented(
    offset_x: Tensor, offset_y: Tensor, along: Tensor, across: Tensor, angle: Tensor, height: Tensor
) -> Tensor:
    """Gaussians with axes of any direction.

    Args:
        offset_x: (B, K, W) from the centre to each column.
        offset_y: (B, K, H) from the centre to each row.
        along: (B, K) sigma along the direction.
        across: (B, K) sigma across it.
        angle: (B, K) of the direction, radians from x toward y.
        height: (B, K) value at the centre.

    Returns:
        (B, K, H, W).
    """
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    along, across = along[..., None], across[..., None]
    # Both distances, in sigmas, are the sum of a term of the row and a term of the column.
    u = offset_y * sin / along, offset_x * cos / along
    v = offset_y * cos / across, -offset_x * sin / across

    def draw(rows: slice) -> Tensor:
        first, second = (row[..., rows, None] + column[..., None, :] for row, column in (u, v))
        squares = first.square_().addcmul_(second, second)
        # Smaller values are negligible, and the exponential would be slow.
        return squares.mul_(-0.5).clamp_min_(math.log(SMALLEST)).exp_().mul_(height[..., None, None])

    return in_bands(draw, offset_y.shape[-1], 2 * offset_x.numel())
