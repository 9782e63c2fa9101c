"""From the highest cell of a map to a location between cells: quarter step, second peak, parabola, DARK, DARK-UDP.

Pure functions of maps and cells. Cells are (B, K, 2), x before y; none of these functions reads outside the map, and a
peak without the neighbours that a rule needs stays where it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import LOWEST, inner, picked, sane
from posekit.codecs.dark import FLOOR, refine_dark, refine_dark_udp
from posekit.codecs.ranking import peak


def _neighbours(maps: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Left and right, upper and lower neighbours of each cell, the shape of ``cell``; the cell itself at the border."""
    H, W = maps.shape[-2:]
    x, y = cell[..., 0], cell[..., 1]
    before = torch.stack((y * W + (x - 1).clamp(min=0), (y - 1).clamp(min=0) * W + x), dim=-1)
    after = torch.stack((y * W + (x + 1).clamp(max=W - 1), (y + 1).clamp(max=H - 1) * W + x), dim=-1)
    left, right = (sane(picked(maps, at.flatten(2))).reshape(cell.shape) for at in (before, after))
    return left, right


def refined(maps: Tensor, cell: Tensor, rule: str, blur: int = 1, *, guarded: bool = False) -> Tensor:
    """Refine peaks with the rule of the given name.

    Args:
        maps: (B, K, H, W).
        cell: (B, K, 2) integer peak.
        rule: ``none``, ``quarter``, ``second``, ``parabola``, ``dark`` or ``dark_udp``.
        blur: odd width in cells of the smoothing window of the last two.
        guarded: see `refine_quarter`.

    Returns:
        (B, K, 2) cells, at least float32.
    """
    if rule == "dark":
        return refine_dark(maps, cell, blur)
    if rule == "dark_udp":
        return refine_dark_udp(maps, cell, blur)
    if rule == "parabola":
        return refine_parabola(maps, cell)
    if rule == "second":
        return refine_second(maps, cell)
    if rule == "quarter":
        return refine_quarter(maps, cell, guarded)
    return cell.to(torch.promote_types(maps.dtype, torch.float32))


def refine_quarter(maps: Tensor, cell: Tensor, guarded: bool = False) -> Tensor:
    """Move each peak a quarter of a cell towards its higher neighbour, along each axis separately.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak.
        guarded: as the reference, move only where both axes have two cells before the peak and one behind it.

    Returns:
        (B, K, 2) cells, at least float32.

    Source: SimpleBaseline, arXiv:1804.06208. Differs: applies from the second to the last but one cell; the reference
    leaves out the second.
    """
    before, after = _neighbours(maps, cell)
    free = inner(cell, (maps.shape[-2], maps.shape[-1]), 1)
    if guarded:
        free = (free & (cell >= 2)).all(-1, keepdim=True)
    step = 0.25 * (after - before).sign() * free
    return cell.to(step.dtype) + step


def refine_second(maps: Tensor, cell: Tensor) -> Tensor:
    """Move each peak a quarter of a cell in the direction of the second highest cell of its map.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak.

    Returns:
        (B, K, 2) cells, at least float32; a peak stays if all other cells are NaN.

    Source: CPN, arXiv:1711.07319 (its code).
    """
    number = cell[..., 1:] * maps.shape[-1] + cell[..., :1]
    second, value = peak(maps.flatten(2).scatter(2, number, -torch.inf).reshape(maps.shape))
    away = (second - cell).to(value.dtype)
    length = torch.linalg.vector_norm(away, dim=-1, keepdim=True)
    step = 0.25 * away / length.clamp_min(1.0) * (value > 0.1 * LOWEST)[..., None]
    moved: Tensor = cell.to(value.dtype) + step
    return moved


def refine_parabola(maps: Tensor, cell: Tensor) -> Tensor:
    """Move each peak to the maximum of the parabola through three logarithms, along each axis separately.

    Exact for an axis-parallel Gaussian. Works one cell closer to the border than DARK, and does not smooth.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak, or (B, K, n, 2) several peaks.

    Returns:
        Cells in the shape of ``cell``, at least float32, within half a cell of it.
    """
    number = cell[..., 1:] * maps.shape[-1] + cell[..., :1]
    here = sane(picked(maps, number.flatten(2))).reshape(number.shape)
    before, after = _neighbours(maps, cell)
    step = parabola_step(before, here, after, inner(cell, (maps.shape[-2], maps.shape[-1]), 1))
    return cell.to(step.dtype) + step


def parabola_step(before: Tensor, here: Tensor, after: Tensor, between: Tensor) -> Tensor:
    """Step from a cell to the maximum of the parabola through the logarithms of three neighbouring values.

    Args:
        before: (...) value of the cell before it.
        here: (...) value of the cell itself.
        after: (...) value of the cell after it.
        between: (...) bool: there are neighbours on both sides.

    Returns:
        (...) cells, -0.5 to 0.5; 0 where a neighbour is missing or the parabola has no maximum.
    """
    low, middle, high = (value.clamp_min(FLOOR).log() for value in (before, here, after))
    bend = low - 2 * middle + high
    curved = (bend < -1e-6) & between
    step = 0.5 * (low - high) / torch.where(curved, bend, -1.0)
    return torch.where(curved, step, 0.0).clamp(-0.5, 0.5)
