"""How wide the hill around a point is, where that follows from the box it belongs to."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import SMALLEST, in_bands

NARROWEST = 1 / 6
"""Smallest sigma in cells: three of them are half a cell, so a hill keeps its top cell."""


def corner_radius(height: Tensor, width: Tensor, iou: float, compat: bool = False) -> Tensor:
    """How far both corners of a box may move before it overlaps the old one by less than ``iou``.

    Args:
        height: (...) of the boxes.
        width: (...) of the boxes.
        iou: wanted overlap, between 0 and 1.
        compat: the formula of CenterNet's code, whose roots lack a factor: 2.8 times as wide at 0.7.

    Returns:
        (...) in the unit of the sizes; the smallest of both corners moving alike, inward and outward.

    Source: CornerNet, arXiv:1808.01244 and its author's correction of its code.
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
    """Whole radius in cells and the sigma of the hill that fills it: (2 R + 1) / 6.

    Args:
        radius: (...) cells, at least 0.
    """
    # Differences of nearly equal roots may fall below 0.
    whole = radius.clamp_min(0.0).floor()
    return whole, (2 * whole + 1) / 6


def ellipse_radius(size: Tensor, alpha: float) -> Tensor:
    """Radii of TTFNet's hill: ``alpha / 2`` of the box along each axis.

    Args:
        size: (..., 2) width and height of the box in cells.
        alpha: share of the box.

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
        height: (B, K) at the centre.

    Returns:
        (B, K, H, W).
    """
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    along, across = along[..., None], across[..., None]
    # Both distances, in sigmas, are sums of what a row and what a column gives.
    u = offset_y * sin / along, offset_x * cos / along
    v = offset_y * cos / across, -offset_x * sin / across

    def draw(rows: slice) -> Tensor:
        first, second = (row[..., rows, None] + column[..., None, :] for row, column in (u, v))
        squares = first.square_().addcmul_(second, second)
        # Below that a value is nothing, and the exponential would be slow.
        return squares.mul_(-0.5).clamp_min_(math.log(SMALLEST)).exp_().mul_(height[..., None, None])

    return in_bands(draw, offset_y.shape[-1], 2 * offset_x.numel())
