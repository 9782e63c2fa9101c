"""From the highest cell of a map to a place between cells: quarter offset, second peak, parabola, DARK, DARK-UDP.

Pure functions of maps and cells. Cells are (B, K, 2), x before y; none of these reads outside the map, and a point
without the neighbours that a rule wants stays where it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import LOWEST, picked, sane
from posekit.codecs.ranking import peak

FLOOR = 1e-10
"""Smallest value whose logarithm is taken."""


def window_width(sigma: float) -> int:
    """Odd width in cells of the window with which DARK smooths maps made with ``sigma`` cells: 11 for 2, 17 for 3."""
    return 2 * math.ceil(2.5 * sigma - 1e-9) + 1


def odd(width: float) -> int:
    """The odd number of cells nearest to ``width``, at least 1."""
    return 2 * max(0, round((width - 1) / 2)) + 1


def window(width: int) -> list[float]:
    """A Gaussian window that sums to 1; sigma follows from the width as ``0.3 ((width - 1) / 2 - 1) + 0.8``.

    Raises:
        ValueError: the width is even or not positive.
    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"a window has a middle, so its width is odd; got {width}, use {max(width, 0) + 1}")
    radius = (width - 1) // 2
    sigma = 0.3 * (radius - 1) + 0.8
    taps = [math.exp(-((i / sigma) ** 2) / 2) for i in range(-radius, radius + 1)]
    return [tap / sum(taps) for tap in taps]


def _five_rows(width: int, like: Tensor) -> Tensor:
    """(5, width + 4): multiplied with a line around a peak it gives the smoothed values at -2, -1, 0, 1, 2."""
    taps = window(width)
    rows = [[0.0] * i + taps + [0.0] * (4 - i) for i in range(5)]
    return torch.tensor(rows, dtype=like.dtype, device=like.device)


def _neighbours(maps: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Left and right, upper and lower neighbours of each cell, the shape of ``cell``; the cell itself at the border."""
    H, W = maps.shape[-2:]
    x, y = cell[..., 0], cell[..., 1]
    before = torch.stack((y * W + (x - 1).clamp(min=0), (y - 1).clamp(min=0) * W + x), dim=-1)
    after = torch.stack((y * W + (x + 1).clamp(max=W - 1), (y + 1).clamp(max=H - 1) * W + x), dim=-1)
    return tuple(sane(picked(maps, at.flatten(2))).reshape(cell.shape) for at in (before, after))  # type: ignore[return-value]


def _ring(cell: Tensor, size: tuple[int, int], width: int) -> Tensor:
    """(..., 2) bool: that axis has ``width`` cells on both sides."""
    H, W = size
    x, y = cell[..., 0], cell[..., 1]
    return torch.stack(((x >= width) & (x < W - width), (y >= width) & (y < H - width)), dim=-1)


def refined(maps: Tensor, cell: Tensor, rule: str, blur: int = 1, *, guarded: bool = False) -> Tensor:
    """The rule of that name.

    Args:
        maps: (B, K, H, W).
        cell: (B, K, 2) integer peak.
        rule: ``none``, ``quarter``, ``second``, ``parabola``, ``dark`` or ``dark_udp``.
        blur: odd width in cells of the window of the last two.
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
    """Move each peak a quarter of a cell toward its higher neighbour, for each axis alone.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak.
        guarded: as the reference, move only where both axes have two cells before the peak and one behind it.

    Returns:
        (B, K, 2) cells, at least float32.

    Source: SimpleBaseline, arXiv:1804.06208. Differs: the rule holds from the second to the last but
    one cell; the reference leaves out the second.
    """
    before, after = _neighbours(maps, cell)
    free = _ring(cell, (maps.shape[-2], maps.shape[-1]), 1)
    if guarded:
        free = (free & (cell >= 2)).all(-1, keepdim=True)
    step = 0.25 * (after - before).sign() * free
    return cell.to(step.dtype) + step


def refine_second(maps: Tensor, cell: Tensor) -> Tensor:
    """Move each peak a quarter of a cell toward the second highest cell of its map, along the straight line.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak.

    Returns:
        (B, K, 2) cells, at least float32; a peak stays where no other cell says anything, or is a different one of
        equal height further down.

    Source: CPN, arXiv:1711.07319 (its code).
    """
    others = sane(maps).flatten(2)
    number = cell[..., 1:] * maps.shape[-1] + cell[..., :1]
    others = others.scatter(2, number, LOWEST).reshape(maps.shape)
    second, value = peak(others)
    away = (second - cell).to(value.dtype)
    length = torch.linalg.vector_norm(away, dim=-1, keepdim=True)
    step = 0.25 * away / length.clamp_min(1.0) * (value > 0.1 * LOWEST)[..., None]
    moved: Tensor = cell.to(value.dtype) + step
    return moved


def refine_parabola(maps: Tensor, cell: Tensor) -> Tensor:
    """Move each peak to the top of the parabola through three logarithms, for each axis alone.

    Exact for an axis-parallel Gaussian, one cell closer to the border than DARK, and without smoothing.

    Args:
        maps: (B, K, H, W); NaN is lower than any number.
        cell: (B, K, 2) integer peak, or (B, K, n, 2) several of them.

    Returns:
        Cells in the shape of ``cell``, at least float32, within half a cell of it.
    """
    number = cell[..., 1:] * maps.shape[-1] + cell[..., :1]
    here = sane(picked(maps, number.flatten(2))).reshape(number.shape)
    before, after = _neighbours(maps, cell)
    step = parabola_step(before, here, after, _ring(cell, (maps.shape[-2], maps.shape[-1]), 1))
    return cell.to(step.dtype) + step


def parabola_step(before: Tensor, here: Tensor, after: Tensor, inner: Tensor) -> Tensor:
    """From a cell to the top of the parabola through the logarithms of three neighbouring values.

    Args:
        before: (...) value of the cell before it.
        here: broadcasts to them.
        after: (...).
        inner: (...) bool: there are neighbours on both sides.

    Returns:
        (...) cells, -0.5 to 0.5; 0 where there are not, or where the three do not bend down.
    """
    low, middle, high = (value.clamp_min(FLOOR).log() for value in (before, here, after))
    bend = low - 2 * middle + high
    curved = (bend < -1e-6) & inner
    step = 0.5 * (low - high) / torch.where(curved, bend, -1.0)
    return torch.where(curved, step, 0.0).clamp(-0.5, 0.5)


def refine_dark(maps: Tensor, cell: Tensor, blur: int = 11) -> Tensor:
    """Move each peak to the maximum of the Gaussian that fits around it.

    One Newton step on the logarithm of the smoothed map. Peaks within two cells of the border, and those around which
    the smoothed map is not a hill, stay where they are.

    Args:
        maps: (B, K, H, W), need not sum to 1; NaN and infinities count as 0.
        cell: (B, K, 2) integer peak.
        blur: odd width of the smoothing window in cells; 11 fits sigma = 2 cells, 1 smooths nothing.

    Returns:
        (B, K, 2) cells, at least float32, within one cell of ``cell``.

    Raises:
        ValueError: ``blur`` is even.

    Source: Zhang et al. 2020, arXiv:1910.06278, eq. 9. Differs: the step is taken only where the
    Hessian is negative definite and is clamped to one cell. The rescaling to the old maximum only shifts the logarithm
    and is left out, so the floor under it acts on the smoothed map as it is.
    """
    L = _smooth_log(maps, cell, blur)
    dx, dy, dxx, dyy, dxy = (L.flatten(2) @ _differences(L)).unbind(-1)
    det = dxx * dyy - dxy * dxy
    hill = (dxx < 0) & (det > 1e-12) & _ring(cell, (maps.shape[-2], maps.shape[-1]), 2).all(-1)
    det = torch.where(hill, det, 1.0)
    step = torch.stack(((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det), dim=-1)
    return cell.to(step.dtype) + torch.where(hill[..., None], step, 0.0).clamp(-1.0, 1.0)


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

    Source: Huang et al. 2020, arXiv:1911.07524 (its code). Differs: on the border the reference doubles the outermost
    cells, which halves the curvature and throws a peak at 0.3 to -0.5; here the step starts from the cell one further
    in, which for a Gaussian is as exact, and peaks within three cells of a border are not smoothed, because a window
    that is half empty pulls them inward. The step is taken only where the Hessian is negative definite.
    """
    H, W = maps.shape[-2:]
    if min(H, W) < 3:
        return cell.to(torch.promote_types(maps.dtype, torch.float32))
    last = torch.tensor((W - 1, H - 1), device=cell.device)
    center = torch.minimum(cell.clamp_min(1), last - 1)
    L = _smooth_log(maps, center, blur)[..., 1:4, 1:4]
    if blur > 1:
        free = _ring(cell, (H, W), 3).all(-1)
        L = torch.where(free[..., None, None], L, _smooth_log(maps, center, 1)[..., 1:4, 1:4])
    dx, dy = 0.5 * (L[..., 1, 2] - L[..., 1, 0]), 0.5 * (L[..., 2, 1] - L[..., 0, 1])
    dxx, dyy = (a - 2 * L[..., 1, 1] + b for a, b in ((L[..., 1, 2], L[..., 1, 0]), (L[..., 2, 1], L[..., 0, 1])))
    cross = L[..., 2, 2] - L[..., 1, 2] - L[..., 2, 1] + 2 * L[..., 1, 1] - L[..., 1, 0] - L[..., 0, 1] + L[..., 0, 0]
    dxy = 0.5 * cross
    det = dxx * dyy - dxy * dxy
    hill = (dxx < 0) & (det > 1e-12)
    det = torch.where(hill, det, 1.0)
    step = torch.stack(((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det), dim=-1)
    place = torch.where(hill[..., None], center + step, cell.to(step.dtype))
    near: Tensor = cell + (place - cell).clamp(-1.0, 1.0)
    return torch.minimum(near.clamp_min(0.0), last.to(place.dtype))


_STENCILS = (
    {(2, 3): 0.5, (2, 1): -0.5},
    {(3, 2): 0.5, (1, 2): -0.5},
    {(2, 4): 0.25, (2, 2): -0.5, (2, 0): 0.25},
    {(4, 2): 0.25, (2, 2): -0.5, (0, 2): 0.25},
    {(3, 3): 0.25, (1, 3): -0.25, (3, 1): -0.25, (1, 1): 0.25},
)
"""Row and column in a patch of 5x5 cells, with factor: first derivatives x, y, second ones xx, yy, xy."""


def _differences(like: Tensor) -> Tensor:
    """(25, 5): multiplied with a patch as a row it gives the five derivatives at its middle."""
    columns = [[stencil.get(divmod(i, 5), 0.0) for stencil in _STENCILS] for i in range(25)]
    return torch.tensor(columns, dtype=like.dtype, device=like.device)


def _smooth_log(maps: Tensor, cell: Tensor, blur: int) -> Tensor:
    """(B, K, 5, 5) logarithm of the smoothed map around each peak, as if zeros lay around the map.

    Only the patch that these 25 values need is read and smoothed. It is moved into the map where it would reach out of
    it; what it then lacks would be multiplied with zeros.
    """
    H, W = maps.shape[-2:]
    height, width = min(H, blur + 4), min(W, blur + 4)
    left = (cell[..., 0] - blur // 2 - 2).clamp(0, W - width)
    top = (cell[..., 1] - blur // 2 - 2).clamp(0, H - height)
    numbers = torch.arange(height, device=cell.device)[:, None] * W + torch.arange(width, device=cell.device)
    patch = picked(maps, (top * W + left)[..., None], numbers.flatten()).reshape(-1, height, width)
    patch = torch.nan_to_num(patch.to(torch.promote_types(patch.dtype, torch.float32)), 0.0, 0.0, 0.0)
    columns = _taps(blur, width, patch).index_select(0, (cell[..., 0] - left).flatten())
    rows = _taps(blur, height, patch).index_select(0, (cell[..., 1] - top).flatten())
    smooth = (rows.transpose(1, 2) @ patch @ columns)[:, :5, :5]
    return smooth.clamp_min(FLOOR).log().reshape(*cell.shape[:2], 5, 5)


def _taps(width: int, size: int, like: Tensor) -> Tensor:
    """(size, size, 6): multiplied with a line of cells, entry ``p`` smooths it at p - 2, p - 1, ..., p + 3.

    The last is one more than is wanted: products of 5 columns are taken for too small for the fast kernel.
    """
    taps = like.new_tensor([0.0, *window(width), 0.0])
    cells = torch.arange(size, device=like.device)
    apart = cells[:, None] - (cells[:, None, None] + torch.arange(-2, 4, device=like.device))
    at = (apart + width // 2 + 1).clamp(0, width + 1)
    return taps.index_select(0, at.flatten()).reshape(at.shape)


def refine_line(lines: Tensor, bin_: Tensor, blur: int = 11) -> Tensor:
    """DARK in one dimension.

    Args:
        lines: (B, K, bins), not negative, without NaN.
        bin_: (B, K) integer peak.
        blur: odd width of the smoothing window in bins.

    Returns:
        (B, K) place in bins, within one bin of the peak; a peak within two bins of the border stays.

    Raises:
        ValueError: ``blur`` is even.
    """
    S = lines.shape[-1]
    reach = torch.arange(-(blur // 2) - 2, blur // 2 + 3, device=bin_.device)
    at = bin_[..., None] + reach
    patch = lines.gather(-1, at.clamp(0, S - 1)) * ((at >= 0) & (at < S))
    L = (patch @ _five_rows(blur, lines).T).clamp_min(FLOOR).log()
    slope, bend = 0.5 * (L[..., 3] - L[..., 1]), 0.25 * (L[..., 4] - 2 * L[..., 2] + L[..., 0])
    hill = (bend < -1e-12) & (bin_ >= 2) & (bin_ < S - 2)
    step = -slope / torch.where(hill, bend, -1.0)
    return bin_.to(lines.dtype) + torch.where(hill, step, 0.0).clamp(-1.0, 1.0)
