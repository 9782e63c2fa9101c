"""Squares of an image's mean colour: over one point, or of the same size somewhere else in the person's box."""

from __future__ import annotations

import torch
from torch import Tensor

TRIED = 64
"""Random locations of which the first that is far enough from the point is taken."""


def box_of(xy: Tensor) -> Tensor:
    """(B, 4) x0 y0 x1 y1 around the points (B, K, 2) of each image."""
    return torch.cat((xy.amin(1), xy.amax(1)), -1)


def longer_side(boxes: Tensor) -> Tensor:
    """(B,) longer side of (B, 4) boxes, pixels."""
    side: Tensor = (boxes[:, 2:] - boxes[:, :2]).amax(-1)
    return side


def elsewhere(point: Tensor, boxes: Tensor, side: Tensor, generator: torch.Generator) -> Tensor:
    """Centres of squares within the boxes that do not overlap a square of the same size over the point.

    Args:
        point: (B, 2) pixels.
        boxes: (B, 4) x0 y0 x1 y1.
        side: (B,) of the squares, pixels.
        generator: of the locations.

    Returns:
        (B, 2) pixels; where none of `TRIED` locations is far enough from the point, the one that is farthest.
    """
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    tried = low + (high - low) * torch.rand(len(boxes), TRIED, 2, generator=generator)
    apart = (tried - point[:, None]).abs().amax(-1)
    free = apart >= side[:, None]
    first = torch.where(free.any(1), free.int().argmax(1), apart.argmax(1))
    return tried[torch.arange(len(boxes)), first]


def filled(images: Tensor, centres: Tensor, side: Tensor) -> Tensor:
    """The images with one square each in their mean colour.

    Args:
        images: (B, 3, H, W).
        centres: (B, 2) of the squares, pixels.
        side: (B,) pixels; 0 leaves an image as it is.
    """
    height, width = images.shape[-2:]
    x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    half = side[:, None] / 2
    across, down = (x - centres[:, :1]).abs() < half, (y - centres[:, 1:]).abs() < half
    hidden = down[:, None, :, None] & across[:, None, None, :]
    return torch.where(hidden, images.mean((2, 3), keepdim=True), images)
