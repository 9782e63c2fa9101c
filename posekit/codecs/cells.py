"""What the codecs with one map a point share: Gaussians, peaks and mirrored maps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.geometry.grid import Grid, RatioGrid

LOWEST = -1e30
"""Stands for a cell that says nothing; finite, so that differences of two of them stay finite."""
SMALLEST = 1e-17
"""Factors of a Gaussian below that are 0, because products of two would be denormal numbers, which are slow."""


def sane(maps: Tensor) -> Tensor:
    """The maps in at least float32, NaN replaced by `LOWEST` and infinities by large numbers."""
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return torch.nan_to_num(wide, nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)


def bell(
    center: Tensor, size: int, sigma: float | Tensor, radius: float | Tensor | None = None, about: Tensor | None = None
) -> Tensor:
    """One-dimensional Gaussians with peak 1, one for each centre.

    Args:
        center: (...) in cells.
        size: number of cells.
        sigma: in cells; a tensor broadcasts to ``center``.
        radius: cells further than that from ``about`` are 0; ``None`` cuts nothing. A tensor broadcasts to ``center``.
        about: (...) middle of the window, in cells; ``None``: the centre.

    Returns:
        (..., size); factors below `SMALLEST` are 0.
    """
    cells = torch.arange(size, dtype=center.dtype, device=center.device)
    offset = cells - center[..., None]
    wide = sigma[..., None] if isinstance(sigma, Tensor) else sigma
    # What would be cut anyway is not computed: the exponential is several times slower where it underflows.
    value = (offset / wide).square().mul(-0.5).clamp_min(math.log(SMALLEST) - 1).exp()
    if radius is None:
        return value * (value > SMALLEST)
    reach = radius[..., None] if isinstance(radius, Tensor) else radius
    apart = offset if about is None else cells - about[..., None]
    return value * (apart.abs() <= reach)


def nearest(cells: Tensor) -> Tensor:
    """The cell that a place lies in: whole numbers, halves go up."""
    return (cells + 0.5).floor()


def outer(rows: Tensor, columns: Tensor) -> Tensor:
    """(..., H) and (..., W) to (..., H, W)."""
    return rows[..., :, None] * columns[..., None, :]


def peak(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Highest cell of each map; of equal ones the first in reading order.

    Args:
        maps: (B, K, H, W); NaN cells are never chosen while there are others.

    Returns:
        (B, K, 2) integer cell, x before y, and (B, K) its value, as `sane` has it.
    """
    # In two steps, because a plain maximum over a long row is many times faster than an arg-max: first of bands of
    # rows, then of the one band that holds it.
    B, K, H, W = maps.shape
    count = bands_of(H)
    size = H * W // count
    bands = maps.reshape(-1, size)
    value, which = highest(bands, count).reshape(B, K, count).max(-1)
    row = torch.arange(B * K, device=maps.device) * count + which.flatten()
    band = sane(bands.index_select(0, row)).reshape(B, K, size)
    numbers = torch.arange(size, dtype=torch.int32, device=maps.device)
    first = torch.where(band == value[..., None], numbers, size).amin(-1)
    cell = which * size + first
    return torch.stack((cell % W, cell // W), dim=-1), value


def bands_of(height: int, most: int = 32) -> int:
    """Divisor of the height: into how many bands of rows it is best parted."""
    return max(n for n in range(1, min(height, most) + 1) if height % n == 0)


def highest(bands: Tensor, count: int) -> Tensor:
    """Highest value of each band as `sane` has it.

    Args:
        bands: (n, size).
        count: divisor of n.

    Returns:
        (n,).
    """
    # A few parts of the memory after one another: what `sane` writes then stays in the cache and is never a second map.
    parts = bands.reshape(bands_of(count, 8), -1, bands.shape[-1]).unbind(0)
    return torch.cat([sane(part).amax(-1) for part in parts])


def picked(maps: Tensor, at: Tensor, around: Tensor | None = None) -> Tensor:
    """Cells of each map by their number in reading order.

    Args:
        maps: (B, K, H, W).
        at: (B, K, n) integer.
        around: (m,) integer, added to ``at`` of n = 1; the sum lies within the map.

    Returns:
        (B, K, n) or (B, K, m).
    """
    B, K, H, W = maps.shape
    # Counted through all maps: a selection along one axis is several times faster than a gather.
    at = at + torch.arange(B * K, device=maps.device).reshape(B, K, 1) * (H * W)
    # Half as many bytes of numbers; maps of 2^31 cells together would be 8 GB.
    at = at.int() if around is None else at.int() + around.int()
    return maps.flatten().index_select(0, at.flatten()).reshape(at.shape)


def at_cell(pairs: Tensor, cell: Tensor) -> Tensor:
    """Two channels a point, read at its cell: (B, 2K, H, W) and (B, K, 2) integer to (B, K, 2)."""
    number = cell[..., 1:] * pairs.shape[-1] + cell[..., :1]
    return picked(pairs, number.repeat_interleave(2, 1)).reshape(cell.shape)


def mirrored(maps: Tensor, order: tuple[int, ...], grid: Grid) -> Tensor:
    """Maps of the mirrored image as maps of the image.

    Exact for `Grid` and `AlignedGrid`. On a `RatioGrid` a mirrored map lies ``(s - 1) / s`` cells too far left; like
    HRNet it is moved right by one cell, the first column doubled, which leaves ``1 / s`` cells.

    Args:
        maps: (B, K, H, W).
        order: index of each point's mirror.
        grid: of the maps.
    """
    flipped = maps[:, list(order)].flip(-1)
    return torch.cat((flipped[..., :1], flipped[..., :-1]), dim=-1) if isinstance(grid, RatioGrid) else flipped
