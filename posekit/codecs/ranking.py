"""Finding the highest cells, with a defined order of equal values.

One rule for all functions: **the higher value first, and of equal values the one with the lowest index**, which on a
map is the first in reading order (row by row, from the left). The rule decides which cell of a plateau is taken, the
order of the chosen cells, and which of several equal values a top-k leaves out. `torch.topk` and `torch.sort` do not
define an order of equal values, and neither do all runtimes of exported graphs; these functions do not depend on it.

Where a network gives logits, the logits are compared, not their sigmoids, which are rounded differently in different
runtimes and make large logits equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import sane

LARGE = 1 << 17
"""Number of cells of an image's maps from which on they are processed in more parts."""


def first_highest(values: Tensor) -> tuple[Tensor, Tensor]:
    """The highest value of each row; of equal values the first.

    Args:
        values: (..., n) without NaN.

    Returns:
        (...) value and (...) its integer index.
    """
    n = values.shape[-1]
    value = values.amax(-1)
    numbers = torch.arange(n, dtype=torch.int32, device=values.device)
    return value, torch.where(values == value[..., None], numbers, n - 1).amin(-1).long()


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest values of each row in descending order; equal values by index, also at the cut-off.

    Args:
        values: (..., n) without NaN.
        count: how many; at most all n.

    Returns:
        (..., m) values and (..., m) their integer indices, with m the smaller of ``count`` and n.
    """
    n = values.shape[-1]
    count = min(count, n)
    value, index = values.topk(count, dim=-1)
    # Which of several values equal to the last one topk takes is undefined: take those with the lowest index.
    last = value[..., -1:]
    falling = torch.arange(n, 0, -1, dtype=torch.float32, device=values.device)
    _, first = torch.where(values == last, falling, 0.0).topk(count, dim=-1)
    above = value > last
    # Not by subtracting a sum: OpenVINO computes that wrongly for all images but the first of a batch.
    level = ((~above).long().cumsum(-1) - 1).clamp_min(0)
    index = torch.where(above, index, first.gather(-1, level))
    # Equal values form a run. Sorting by (run, index), all distinct integers, orders each run by index.
    falls = (value[..., 1:] != value[..., :-1]).long().cumsum(-1)
    run = torch.cat((torch.zeros_like(index[..., :1]), falls), -1) * n
    return value, (run + index).sort(-1).values - run


def peak(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Highest cell of each map; of equal cells the first in reading order.

    Args:
        maps: (B, K, H, W); NaN cells are never chosen while there are others.

    Returns:
        (B, K, 2) integer cell, x before y, and (B, K) its value after `sane`.
    """
    # In two steps, because a maximum over a long row is many times faster than an arg-max: first the maximum of each
    # band of rows, then the arg-max within the highest band.
    K, H, W = maps.shape[1:]
    count = bands_of(H)
    size = H * W // count
    bands = maps.reshape(-1, size)
    parts = 8 if K * H * W < LARGE else 32
    value, which = first_highest(highest(bands, count, parts).reshape(-1, K, count))
    # A cumulative sum instead of arange: an exporter might treat the number of maps as a constant.
    flat = which.flatten()
    row = ((flat >= 0).long().cumsum(0) - 1) * count + flat
    band = sane(bands.index_select(0, row)).reshape(-1, K, size)
    cell = which * size + first_highest(band)[1]
    return torch.stack((cell % W, cell // W), dim=-1), value


def highest_around(maps: Tensor, window: int) -> Tensor:
    """Maximum over the square window around each cell.

    Args:
        maps: (B, C, H, W) without NaN.
        window: side of the square in cells, odd.

    Returns:
        (B, C, H, W).
    """
    # A larger window is the 3x3 window applied several times. On a CPU much faster than `max_pool2d`.
    for _ in range(window // 2):
        maps = highest_of_three(highest_of_three(maps, -1), -2)
    return maps


def highest_of_three(maps: Tensor, axis: int) -> Tensor:
    """For each cell the maximum of itself and its two neighbours along an axis."""
    size = maps.shape[axis]
    if size < 2:
        return maps
    pairs = torch.maximum(maps.narrow(axis, 0, size - 1), maps.narrow(axis, 1, size - 1))
    first, last = pairs.narrow(axis, 0, 1), pairs.narrow(axis, size - 2, 1)
    between = torch.maximum(pairs.narrow(axis, 0, size - 2), pairs.narrow(axis, 1, size - 2))
    return torch.cat((first, between, last), axis)


def bands_of(height: int, most: int = 32) -> int:
    """How many bands of equal height to divide the rows into: the largest divisor of ``height`` up to ``most``."""
    return max(n for n in range(1, min(height, most) + 1) if height % n == 0)


def highest(bands: Tensor, count: int, most: int = 8) -> Tensor:
    """Highest value of each band after `sane`.

    Args:
        bands: (n, size).
        count: divisor of n.
        most: largest number of parts that are processed one after another.

    Returns:
        (n,).
    """
    # Part by part, so that the copy that `sane` makes stays in the cache.
    parts = bands.reshape(bands_of(count, most), -1, bands.shape[-1]).unbind(0)
    return torch.cat([sane(part).amax(-1) for part in parts])
