"""What the codecs with maps share: Gaussians, cells read and written, mirrored maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from posekit.geometry.grid import Grid, RatioGrid

LOWEST = -1e30
"""Stands for a cell that says nothing; finite, so that differences of two of them stay finite."""
SMALLEST = 1e-17
"""Factors of a Gaussian below that are 0, because products of two would be denormal numbers, which are slow."""
BAND = 1 << 19
"""Numbers that are made at a time where maps are drawn band after band: 2 MiB."""


def sane(maps: Tensor) -> Tensor:
    """The maps in at least float32, NaN replaced by `LOWEST` and infinities by large numbers."""
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return torch.nan_to_num(wide, nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)


def finite(maps: Tensor) -> Tensor:
    """The maps, with 0 for what is not finite."""
    return torch.nan_to_num(maps, 0.0, 0.0, 0.0)


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


def within(cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """(...) bool: locations (..., 2) in cells, x first, lie between the outermost centres of a map (height, width)."""
    height, width = shape
    return ((cells >= 0) & (cells <= cells.new_tensor((width - 1, height - 1)))).all(-1)


def inner(cell: Tensor, shape: tuple[int, int], width: int) -> Tensor:
    """(..., 2) bool: a cell (..., 2), x before y, has ``width`` others on both sides of that axis of the map."""
    H, W = shape
    x, y = cell[..., 0], cell[..., 1]
    return torch.stack(((x >= width) & (x < W - width), (y >= width) & (y < H - width)), dim=-1)


def outer(rows: Tensor, columns: Tensor) -> Tensor:
    """(..., H) and (..., W) to (..., H, W)."""
    return rows[..., :, None] * columns[..., None, :]


def in_bands(draw: Callable[[slice], Tensor], height: int, row: int) -> Tensor:
    """Maps drawn a band of rows after another, so that temporaries are small and stay in the cache.

    Args:
        draw: what gives those rows of the maps, (..., rows, W); not differentiated.
        height: H.
        row: numbers in the temporaries of one row of all maps.

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
    """Cells of each map by their number in reading order.

    Args:
        maps: (B, C, H, W).
        at: (B, K, n) integer, with K at most C: of the first K maps.
        around: (m,) integer, added to ``at`` of n = 1; the sum lies within the map.

    Returns:
        (B, K, n) or (B, K, m).
    """
    B, C, H, W = maps.shape
    # Counted through all maps: a selection along one axis is several times faster than a gather.
    first = torch.arange(B, device=maps.device)[:, None] * C + torch.arange(at.shape[1], device=maps.device)
    at = at + first[..., None] * (H * W)
    # Half as many bytes of numbers; maps of 2^31 cells together would be 8 GB.
    at = at.int() if around is None else at.int() + around.int()
    return maps.flatten().index_select(0, at.flatten()).reshape(at.shape)


def at_cell(pairs: Tensor, cell: Tensor) -> Tensor:
    """Two channels a point, read at its cell: (B, 2K, H, W) and (B, K, 2) integer to (B, K, 2)."""
    number = cell[..., 1:] * pairs.shape[-1] + cell[..., :1]
    return picked(pairs, number.repeat_interleave(2, 1)).reshape(cell.shape)


def bilinear(maps: Tensor, place: Tensor, clean: Callable[[Tensor], Tensor] = sane) -> Tensor:
    """Read maps linearly between their cells; beyond the outermost centres of cells as on them.

    Args:
        maps: (B, C, H, W).
        place: (B, K, n, 2) in cells, x before y, finite, with K at most C: in the first K maps.
        clean: what the values of cells go through first.

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


def pairs_of(order: tuple[int, ...]) -> tuple[int, ...]:
    """Channels of pairs of x and y whose points stand in another order."""
    return tuple(2 * k + axis for k in order for axis in (0, 1))


def mirrored_pairs(pairs: Tensor, order: tuple[int, ...], grid: Grid) -> Tensor:
    """`mirrored` for maps (B, 2 K, H, W) of x and y of each point in turn, vectors whose x changes its sign."""
    x, y = mirrored(pairs, pairs_of(order), grid).unflatten(1, (-1, 2)).unbind(2)
    return torch.stack((-x, y), 2).flatten(1, 2)
