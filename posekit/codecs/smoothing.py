"""Gaussian smoothing windows, cached; an exported graph holds them as constants."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


def constant(value: Array, like: Tensor) -> Tensor:
    """Constants as a tensor with the dtype and device of ``like``; must not be modified."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def window_width(sigma: float) -> int:
    """Odd width in cells of DARK's smoothing window for Gaussians of ``sigma`` cells: 11 for 2, 17 for 3."""
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
        raise ValueError(f"the width of a window must be odd; got {width}, use {max(width, 0) + 1}")
    radius = (width - 1) // 2
    sigma = 0.3 * (radius - 1) + 0.8
    taps = [math.exp(-((i / sigma) ** 2) / 2) for i in range(-radius, radius + 1)]
    return [tap / sum(taps) for tap in taps]


def blurred(maps: Tensor, width: int) -> Tensor:
    """(B, C, H, W) smoothed with the Gaussian window of ``width`` cells, with zero padding."""
    if width == 1:
        return maps
    # Products with band matrices: much faster on maps of this size than depthwise convolutions.
    rows, columns = (constant(bands(size, width), maps) for size in maps.shape[-2:])
    return rows @ (maps @ columns)


@lru_cache
def bands(size: int, width: int) -> Array:
    """(size, size) matrix that smooths a line of cells."""
    taps = np.array([*window(width), 0.0])
    apart = np.arange(size)[:, None] - np.arange(size) + width // 2
    # Cells outside the window read the zero appended to it.
    return taps[np.where((apart >= 0) & (apart < width), apart, width)]


@lru_cache
def window_cells(width: int) -> tuple[Array, Array]:
    """(n, 2) offsets from the centre of a window to its cells, row by row, x before y, and (n,) their weights."""
    reach = np.arange(width) - width // 2
    taps = np.array(window(width))
    steps = np.stack(np.broadcast_arrays(reach, reach[:, None]), -1).reshape(-1, 2)
    return steps.astype(np.float64), np.outer(taps, taps).ravel()
