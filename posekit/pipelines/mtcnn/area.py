"""Resize parts of images by averaging areas, all at once, with integral images. NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]


def summed(images: NDArray[np.uint8]) -> Int:
    """Integral images: sums over all pixels above and to the left.

    Args:
        images: (B, H, W, C) uint8.

    Returns:
        (B, H + 1, W + 1, C) int64, exact; the first row and column are 0.
    """
    return np.pad(images.astype(np.int64).cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0), (0, 0)))


def resized(sums: Int, image: Int, parts: Int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Scale parts of images, up or down.

    A pixel of the result is the mean of all whole pixels that it touches.

    Args:
        sums: of the images, see `summed`.
        image: (N,) which image each part is of.
        parts: (N, 4) x0 y0 x1 y1, whole pixels inside the image, at least one.
        size: (height, width) of the result.

    Returns:
        (N, height, width, C) float32.
    """
    top, bottom = _edges(parts[:, 1], parts[:, 3], size[0])
    left, right = _edges(parts[:, 0], parts[:, 2], size[1])
    which = image[:, None, None]

    def at(row: Int, column: Int) -> Int:
        return sums[which, row[:, :, None], column[:, None, :]]

    total = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)
    pixels = (bottom - top)[:, :, None] * (right - left)[:, None, :]
    return (total / pixels[..., None]).astype(np.float32)


def _edges(low: Int, high: Int, cells: int) -> tuple[Int, Int]:
    """First pixel of each cell and the first pixel after it, both (N, cells)."""
    span = (high - low)[:, None]
    cell = np.arange(cells)
    return low[:, None] + cell * span // cells, low[:, None] - (-(cell + 1) * span // cells)
