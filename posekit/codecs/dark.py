"""DARK: from the highest cell to the maximum of the Gaussian around it, on maps and in one dimension.

Pure functions of maps and cells, like those of `posekit.codecs.refine`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from posekit.codecs.cells import inner, picked
from posekit.codecs.smoothing import Array, constant, window

FLOOR = 1e-10
"""Values are clamped to at least this before the logarithm."""


def refine_dark(maps: Tensor, cell: Tensor, blur: int = 11) -> Tensor:
    """Move each peak to the maximum of the Gaussian that fits around it.

    One Newton step on the logarithm of the smoothed map. Peaks within two cells of the border, and those around which
    the logarithm of the smoothed map is not concave, stay where they are.

    Args:
        maps: (B, K, H, W), need not sum to 1; NaN and infinities count as 0.
        cell: (B, K, 2) integer peak.
        blur: odd width of the smoothing window in cells; 11 fits sigma = 2 cells, 1 smooths nothing.

    Returns:
        (B, K, 2) cells, at least float32, within one cell of ``cell``.

    Raises:
        ValueError: ``blur`` is even.

    Source: Zhang et al. 2020, arXiv:1910.06278, eq. 9. Differs: the step is taken only where the Hessian is negative
    definite and is clamped to one cell. Rescaling to the old maximum only shifts the logarithm and is left out, so
    `FLOOR` applies to the smoothed map without rescaling.
    """
    L = _smooth_log(maps, cell, blur)
    dx, dy, dxx, dyy, dxy = (L.flatten(2) @ constant(_differences(), L)).unbind(-1)
    det = dxx * dyy - dxy * dxy
    concave = (dxx < 0) & (det > 1e-12) & inner(cell, (maps.shape[-2], maps.shape[-1]), 2).all(-1)
    det = torch.where(concave, det, 1.0)
    step = torch.stack(((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det), dim=-1)
    return cell.to(step.dtype) + torch.where(concave[..., None], step, 0.0).clamp(-1.0, 1.0)


def refine_dark_udp(maps: Tensor, cell: Tensor, blur: int = 11) -> Tensor:
    """DARK with second differences of one cell, so that peaks on the border are refined too.

    Args:
        maps: (B, K, H, W), need not sum to 1; NaN and infinities count as 0.
        cell: (B, K, 2) integer peak.
        blur: odd width of the smoothing window in cells; 11 fits sigma = 2 cells, 1 smooths nothing.

    Returns:
        (B, K, 2) cells, at least float32, within one cell of ``cell`` and within the map.

    Raises:
        ValueError: ``blur`` is even.

    Source: Huang et al. 2020, arXiv:1911.07524 (its code). Differs: on the border the reference repeats the outermost
    cells, which halves the curvature and moves a peak at 0.3 to -0.5; here the step starts from the next cell inwards,
    which is as exact for a Gaussian. Peaks within three cells of a border are not smoothed, because a half-empty window
    pulls them inwards. The step is taken only where the Hessian is negative definite.
    """
    H, W = maps.shape[-2:]
    if min(H, W) < 3:
        return cell.to(torch.promote_types(maps.dtype, torch.float32))
    last = torch.tensor((W - 1, H - 1), device=cell.device)
    center = torch.minimum(cell.clamp_min(1), last - 1)
    L = _smooth_log(maps, center, blur)[..., 1:4, 1:4]
    if blur > 1:
        free = inner(cell, (H, W), 3).all(-1)
        L = torch.where(free[..., None, None], L, _smooth_log(maps, center, 1)[..., 1:4, 1:4])
    dx, dy = 0.5 * (L[..., 1, 2] - L[..., 1, 0]), 0.5 * (L[..., 2, 1] - L[..., 0, 1])
    dxx, dyy = (a - 2 * L[..., 1, 1] + b for a, b in ((L[..., 1, 2], L[..., 1, 0]), (L[..., 2, 1], L[..., 0, 1])))
    cross = L[..., 2, 2] - L[..., 1, 2] - L[..., 2, 1] + 2 * L[..., 1, 1] - L[..., 1, 0] - L[..., 0, 1] + L[..., 0, 0]
    dxy = 0.5 * cross
    det = dxx * dyy - dxy * dxy
    concave = (dxx < 0) & (det > 1e-12)
    det = torch.where(concave, det, 1.0)
    step = torch.stack(((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det), dim=-1)
    place = torch.where(concave[..., None], center + step, cell.to(step.dtype))
    near: Tensor = cell + (place - cell).clamp(-1.0, 1.0)
    return torch.minimum(near.clamp_min(0.0), last.to(place.dtype))


_STENCILS = (
    {(2, 3): 0.5, (2, 1): -0.5},
    {(3, 2): 0.5, (1, 2): -0.5},
    {(2, 4): 0.25, (2, 2): -0.5, (2, 0): 0.25},
    {(4, 2): 0.25, (2, 2): -0.5, (0, 2): 0.25},
    {(3, 3): 0.25, (1, 3): -0.25, (3, 1): -0.25, (1, 1): 0.25},
)
"""(row, column, factor) in a patch of 5x5 cells for the derivatives x, y, xx, yy and xy."""


@lru_cache
def _differences() -> Array:
    """(25, 5) matrix that maps a flattened patch to the five derivatives at its centre."""
    return np.array([[stencil.get(divmod(i, 5), 0.0) for stencil in _STENCILS] for i in range(25)])


def _smooth_log(maps: Tensor, cell: Tensor, blur: int) -> Tensor:
    """(B, K, 5, 5) logarithm of the smoothed map around each peak, with zero padding.

    Only the patch that these 25 values depend on is read and smoothed. At a border the patch is shifted into the map;
    the cells it then misses would have been zero padding.
    """
    H, W = maps.shape[-2:]
    height, width = min(H, blur + 4), min(W, blur + 4)
    left = (cell[..., 0] - blur // 2 - 2).clamp(0, W - width)
    top = (cell[..., 1] - blur // 2 - 2).clamp(0, H - height)
    numbers = torch.arange(height, device=cell.device)[:, None] * W + torch.arange(width, device=cell.device)
    patch = picked(maps, (top * W + left)[..., None], numbers.flatten()).reshape(-1, height, width)
    patch = torch.nan_to_num(patch.to(torch.promote_types(patch.dtype, torch.float32)), 0.0, 0.0, 0.0)
    columns = constant(_taps(blur, width), patch).index_select(0, (cell[..., 0] - left).flatten())
    rows = constant(_taps(blur, height), patch).index_select(0, (cell[..., 1] - top).flatten())
    smooth = (rows.transpose(1, 2) @ patch @ columns)[:, :5, :5]
    return smooth.clamp_min(FLOOR).log().reshape(*cell.shape[:2], 5, 5)


@lru_cache
def _taps(width: int, size: int) -> Array:
    """(size, size, 6): entry ``p`` maps a line of cells to its smoothed values at p - 2, p - 1, ..., p + 3.

    The last column is not used: matrix products with 5 columns miss the fast kernel.
    """
    taps = np.array([0.0, *window(width), 0.0])
    cells = np.arange(size)
    apart = cells[:, None] - (cells[:, None, None] + np.arange(-2, 4))
    table: Array = taps[(apart + width // 2 + 1).clip(0, width + 1)]
    return table


@lru_cache
def _five_rows(width: int) -> Array:
    """(width + 4, 5) matrix that maps a line around a peak to its smoothed values at -2, -1, 0, 1, 2."""
    taps = window(width)
    return np.array([[0.0] * i + taps + [0.0] * (4 - i) for i in range(5)]).T


def refine_line(lines: Tensor, bin_: Tensor, blur: int = 11) -> Tensor:
    """DARK in one dimension.

    Args:
        lines: (B, K, bins), not negative, without NaN.
        bin_: (B, K) integer peak.
        blur: odd width of the smoothing window in bins.

    Returns:
        (B, K) location in bins, within one bin of the peak; a peak within two bins of the border stays.

    Raises:
        ValueError: ``blur`` is even.
    """
    S = lines.shape[-1]
    reach = torch.arange(-(blur // 2) - 2, blur // 2 + 3, device=bin_.device)
    at = bin_[..., None] + reach
    patch = lines.gather(-1, at.clamp(0, S - 1)) * ((at >= 0) & (at < S))
    L = (patch @ constant(_five_rows(blur), lines)).clamp_min(FLOOR).log()
    slope, bend = 0.5 * (L[..., 3] - L[..., 1]), 0.25 * (L[..., 4] - 2 * L[..., 2] + L[..., 0])
    concave = (bend < -1e-12) & (bin_ >= 2) & (bin_ < S - 2)
    step = -slope / torch.where(concave, bend, -1.0)
    return bin_.to(lines.dtype) + torch.where(concave, step, 0.0).clamp(-1.0, 1.0)
