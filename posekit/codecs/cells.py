"""Helpers of codecs with maps: Gaussians, reading and writing cells, mirroring maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from posekit.geometry.grid import Grid, RatioGrid

LOWEST = -1e30
"""Value of a cell without a usable number (NaN); finite, so that the difference of two of them is finite."""
SMALLEST = 1e-17
"""Factors of a Gaussian below this are set to 0: the product of two would be a denormal number, which is slow."""
BAND = 1 << 19
"""How many numbers `in_bands` computes at a time: 2 MiB of float32."""


def sane(maps: Tensor) -> Tensor:
    """The maps in at least float32, NaN replaced by `LOWEST` and infinities by large numbers."""
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return torch.nan_to_num(wide, nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)


def finite(maps: Tensor) -> Tensor:
    """The maps, with NaN and infinities replaced by 0."""
    return torch.nan_to_num(maps, 0.0, 0.0, 0.0)


def bell(
    center: Tensor, size: int, sigma: float | Tensor, radius: float | Tensor | None = None, about: Tensor | None = None
) -> Tensor:
    """One-dimensional Gaussians with peak 1, one for each centre.

    Args:
        center: (...) in cells.
        size: number of cells.
        sigma: in cells; a tensor broadcasts to ``center``.
        radius: cells further than this from ``about`` are 0; ``None``: no window. A tensor broadcasts to ``center``.
        about: (...) centre of the window, in cells; ``None``: ``center``.

    Returns:
        (..., size); factors below `SMALLEST` are 0.
    """
    cells = torch.arange(size, dtype=center.dtype, device=center.device)
    offset = cells - center[..., None]
    wide = sigma[..., None] if isinstance(sigma, Tensor) else sigma
    # The exponent is clamped, because the exponential is several times slower where it underflows.
    value = (offset / wide).square().mul(-0.5).clamp_min(math.log(SMALLEST) - 1).exp()
    if radius is None:
        return value * (value > SMALLEST)
    reach = radius[..., None] if isinstance(radius, Tensor) else radius
    apart = offset if about is None else cells - about[..., None]
    return value * (apart.abs() <= reach)


def nearest(cells: Tensor) -> Tensor:
    """The cell that a location lies in: whole numbers, halves are rounded up."""
    return (cells + 0.5).floor()


def within(cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """(...) bool: locations (..., 2) in cells, x first, lie within the outermost cell centres of a map (H, W)."""
    height, width = shape
    return ((cells >= 0) & (cells <= cells.new_tensor((width - 1, height - 1)))).all(-1)


def inner(cell: Tensor, shape: tuple[int, int], width: int) -> Tensor:
    """(..., 2) bool: a cell (..., 2), x before y, has ``width`` neighbours on both sides along each axis."""
    H, W = shape
    x, y = cell[..., 0], cell[..., 1]
    return torch.stack(((x >= width) & (x < W - width), (y >= width) & (y < H - width)), dim=-1)


def outer(rows: Tensor, columns: Tensor) -> Tensor:
    """Outer product: (..., H) and (..., W) to (..., H, W)."""
    return rows[..., :, None] * columns[..., None, :]


def in_bands(draw: Callable[[slice], Tensor], height: int, row: int) -> Tensor:
    """Draw maps in bands of rows, so that temporaries are small and stay in the cache.

    Args:
        draw: returns the given rows of the maps, (..., rows, W); not differentiated.
        height: H.
        row: size of the temporaries for one row of all maps.

    Returns:
        (..., H, W).
    """
    size = max(1, BAND // max(row, 1))
    first = draw(slice(0, size))
    if size >= height:
        return first
    maps = first.new_empty(*first.shape[:-2], height, first.shape[-1])
    maps[..., :size, :] = first
    for start in range(size, height, size):
        rows = slice(start, start + size)
        maps[..., rows, :] = draw(rows)
    return maps


def picked(maps: Tensor, at: Tensor, around: Tensor | None = None) -> Tensor:
    """Read cells of each map by their flat index in reading order.

    Args:
        maps: (B, C, H, W).
        at: (B, K, n) integer; the first K of the C maps are read.
        around: (m,) integer offsets added to ``at``, where n = 1; the sum must lie within the map.

    Returns:
        (B, K, n) or (B, K, m).
    """
    B, C, H, W = maps.shape
    # One flat index over all maps: selecting along one axis is several times faster than a gather.
    first = torch.arange(B, device=maps.device)[:, None] * C + torch.arange(at.shape[1], device=maps.device)
    at = at + first[..., None] * (H * W)
    # 32-bit indices take half the memory; they suffice, since 2^31 cells would be 8 GB of maps.
    at = at.int() if around is None else at.int() + around.int()
    return maps.flatten().index_select(0, at.flatten()).reshape(at.shape)


def at_cell(pairs: Tensor, cell: Tensor) -> Tensor:
    """Read the two channels of each point at its cell: (B, 2K, H, W) and (B, K, 2) integer to (B, K, 2)."""
    number = cell[..., 1:] * pairs.shape[-1] + cell[..., :1]
    return picked(pairs, number.repeat_interleave(2, 1)).reshape(cell.shape)


def bilinear(maps: Tensor, place: Tensor, clean: Callable[[Tensor], Tensor] = sane) -> Tensor:
    """Read maps with bilinear interpolation; beyond the outermost cell centres the border value holds.

    Args:
        maps: (B, C, H, W).
        place: (B, K, n, 2) in cells, x before y, finite; the first K of the C maps are read.
        clean: applied to the values read, before interpolation.

    Returns:
        (B, K, n), at least float32.
    """
    H, W = maps.shape[-2:]
    x, y = place[..., 0].clamp(0.0, W - 1.0), place[..., 1].clamp(0.0, H - 1.0)
    left, upper = x.floor(), y.floor()
    column, row = left.long(), upper.long()
    right, lower = (column + 1).clamp_max(W - 1), (row + 1).clamp_max(H - 1) * W
    row = row * W
    corners = (row + column, row + right, lower + column, lower + right)
    wide = torch.promote_types(maps.dtype, torch.float32)
    before, after, before_below, after_below = (clean(picked(maps, at).to(wide)) for at in corners)
    across, down = (x - left).to(wide), (y - upper).to(wide)
    above, below = torch.lerp(before, after, across), torch.lerp(before_below, after_below, across)
    return torch.lerp(above, below, down)


def mirrored(maps: Tensor, order: tuple[int, ...], grid: Grid) -> Tensor:
    """Turn maps of the mirrored image into maps of the image.

    Exact for `Grid` and `AlignedGrid`. On a `RatioGrid` of stride ``s`` a mirrored map lies ``(s - 1) / s`` cells too
    far left; as in HRNet it is shifted right by one cell (repeating the first column), which leaves ``1 / s`` cells.

    Args:
        maps: (B, K, H, W).
        order: index of each point's mirror.
        grid: of the maps.
    """
    flipped = maps[:, list(order)].flip(-1)
    return torch.cat((flipped[..., :1], flipped[..., :-1]), dim=-1) if isinstance(grid, RatioGrid) else flipped


def pairs_of(order: tuple[int, ...]) -> tuple[int, ...]:
    """Channel order of maps with an x and a y channel a point, for points in the given order."""
    return tuple(2 * k + axis for k in order for axis in (0, 1))


def mirrored_pairs(pairs: Tensor, order: tuple[int, ...], grid: Grid) -> Tensor:
    """`mirrored` for vector maps (B, 2 K, H, W), x and y of each point in turn; x changes its sign."""
    x, y = mirrored(pairs, pairs_of(order), grid).unflatten(1, (-1, 2)).unbind(2)
    return torch.stack((-x, y), 2).flatten(1, 2)
