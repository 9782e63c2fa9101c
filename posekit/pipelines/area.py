"""Parts of images scaled to one size by averaging areas, all at once, from tables of sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def summed(images: Tensor) -> Tensor:
    """Sums of everything above and to the left.

    Args:
        images: (B, H, W, C) uint8.

    Returns:
        (B, H + 1, W + 1, C) int64, exact; the first row and column are 0.
    """
    return F.pad(images.long().cumsum(1).cumsum(2), (0, 0, 1, 0, 1, 0))


def resized(sums: Tensor, image: Tensor, parts: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale parts of images, up or down.

    A cell of the result is the plain mean of the pixels that it touches, whole pixels, as in torch's ``area`` mode.

    Args:
        sums: of the images, see `summed`.
        image: (N,) which image each part is of.
        parts: (N, 4) x0 y0 x1 y1, whole pixels inside the image, at least one.
        size: (height, width) of the result.

    Returns:
        (N, C, height, width) float32.
    """
    top, bottom = _edges(parts[:, 1], parts[:, 3], size[0])
    left, right = _edges(parts[:, 0], parts[:, 2], size[1])
    which = image[:, None, None]

    def at(row: Tensor, column: Tensor) -> Tensor:
        return sums[which, row[:, :, None], column[:, None, :]]

    total = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)
    pixels = (bottom - top)[:, :, None] * (right - left)[:, None, :]
    return (total.float() / pixels[..., None]).permute(0, 3, 1, 2)


def _edges(low: Tensor, high: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """First pixel of each cell and the first behind it, both (N, cells)."""
    span = (high - low)[:, None]
    cell = torch.arange(cells, device=low.device)
    return low[:, None] + cell * span // cells, low[:, None] - (-(cell + 1) * span // cells)
