"""Which cells are highest, and in which order.

One rule for all: **the higher value first, and of equal values the one of the lowest index**, which on a map is the
first in reading order (row by row, from the left). It holds for which cell of a plateau is taken, for the order of what
is chosen, and for what is left out where equal values are cut. `torch.topk` and `torch.sort` promise no order among
equals, and neither does every runtime of an exported graph; what is here does not lean on theirs.

Equal means equal in the numbers compared. Where a network gives logits these are compared and not their sigmoids,
which round differently in different runtimes and make large logits equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import sane

LARGE = 1 << 17
"""Cells of an image's maps together from which on they are looked at in more parts."""


def first_highest(values: Tensor) -> tuple[Tensor, Tensor]:
    """The highest of each row; of equal ones the first.

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
    """The highest of each row, falling; equal ones in the order of their index, at the cut too.

    Args:
        values: (..., n) without NaN.
        count: how many; rows of fewer are asked for all they have.

    Returns:
        (..., m) values and (..., m) their integer indices, with m the smaller of ``count`` and n.
    """
    n = values.shape[-1]
    count = min(count, n)
    value, index = values.topk(count, dim=-1)
    # Which of those as high as the last were taken is the runtime's choice: the first ones are looked for instead.
    last = value[..., -1:]
    falling = torch.arange(n, 0, -1, dtype=torch.float32, device=values.device)
    _, first = torch.where(values == last, falling, 0.0).topk(count, dim=-1)
    above = value > last
    place = torch.arange(count, device=values.device)
    level = (place - above.long().sum(-1, keepdim=True)).clamp_min(0)
    index = torch.where(above, index, first.gather(-1, level))
    # Equal values stand in a run. Sorting by run and index, whole numbers that are all different, orders each run.
    falls = (value[..., 1:] != value[..., :-1]).long().cumsum(-1)
    run = torch.cat((torch.zeros_like(index[..., :1]), falls), -1) * n
    return value, (run + index).sort(-1).values - run


def peak(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Highest cell of each map; of equal ones the first in reading order.

    Args:
        maps: (B, K, H, W); NaN cells are never chosen while there are others.

    Returns:
        (B, K, 2) integer cell, x before y, and (B, K) its value, as `sane` has it.
    """
    # In two steps, because a plain maximum over a long row is many times faster than an arg-max: first of bands of
    # rows, then of the one band that holds it.
    K, H, W = maps.shape[1:]
    count = bands_of(H)
    size = H * W // count
    bands = maps.reshape(-1, size)
    parts = 8 if K * H * W < LARGE else 32
    value, which = first_highest(highest(bands, count, parts).reshape(-1, K, count))
    # Counted by a sum over what is given, because an exporter may believe to know the number of maps.
    flat = which.flatten()
    row = ((flat >= 0).long().cumsum(0) - 1) * count + flat
    band = sane(bands.index_select(0, row)).reshape(-1, K, size)
    cell = which * size + first_highest(band)[1]
    return torch.stack((cell % W, cell // W), dim=-1), value


def highest_around(maps: Tensor, window: int) -> Tensor:
    """The highest cell of the square around each cell.

    Args:
        maps: (B, C, H, W) without NaN.
        window: side of the square in cells, odd.

    Returns:
        (B, C, H, W).
    """
    # A larger square is the square of three cells, several times. On a CPU many times faster than `max_pool2d`.
    for _ in range(window // 2):
        maps = highest_of_three(highest_of_three(maps, -1), -2)
    return maps


def highest_of_three(maps: Tensor, axis: int) -> Tensor:
    """For each cell the highest of itself and its two neighbours along an axis."""
    size = maps.shape[axis]
    if size < 2:
        return maps
    pairs = torch.maximum(maps.narrow(axis, 0, size - 1), maps.narrow(axis, 1, size - 1))
    first, last = pairs.narrow(axis, 0, 1), pairs.narrow(axis, size - 2, 1)
    between = torch.maximum(pairs.narrow(axis, 0, size - 2), pairs.narrow(axis, 1, size - 2))
    return torch.cat((first, between, last), axis)


def bands_of(height: int, most: int = 32) -> int:
    """Divisor of the height: into how many bands of rows it is best parted."""
    return max(n for n in range(1, min(height, most) + 1) if height % n == 0)


def highest(bands: Tensor, count: int, most: int = 8) -> Tensor:
    """Highest value of each band as `sane` has it.

    Args:
        bands: (n, size).
        count: divisor of n.
        most: parts of the memory that are looked at one after another, at most.

    Returns:
        (n,).
    """
    # A few parts of the memory after one another: what `sane` writes then stays in the cache and is never a second map.
    parts = bands.reshape(bands_of(count, most), -1, bands.shape[-1]).unbind(0)
    return torch.cat([sane(part).amax(-1) for part in parts])
