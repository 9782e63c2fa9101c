"""Candidate windows of a cascade: NMS, box regression, clipping to the image. NumPy.

Boxes are x0 y0 x1 y1 in continuous image pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.postprocess.nms import box_nms

Float = NDArray[np.float32]
Over = Literal["union", "smaller"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a batch of images, with the outputs of a network.

    Args:
        boxes: (N, 4).
        score: (N,) in [0, 1].
        image: (N,) number of the image in the batch.
        moves: (N, 4) offset of each side, as a fraction of width or height.
        points: (N, K, 2) x, y as fractions of the window.
    """

    boxes: Float
    score: Float
    image: NDArray[np.int64]
    moves: Float
    points: Float

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, chosen: NDArray[Any]) -> Windows:
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def none(cls) -> Windows:
        """No windows, of no points."""
        boxes = np.zeros((0, 4), np.float32)
        return cls(boxes, boxes[:, 0], np.zeros(0, np.int64), boxes, np.zeros((0, 0, 2), np.float32))

    @classmethod
    def joined(cls, parts: Sequence[Windows]) -> Windows:
        """All windows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def suppressed(self, threshold: float, over: Over = "union", inset: float = 0.0) -> Windows:
        """Windows after NMS, the best first; of equal scores the one given first.

        Args:
            threshold: largest allowed IoU.
            over: see `box_nms`. Its boxes are continuous, where published code counts pixels "+ 1"; ours are moved by
                that one pixel already.
            inset: pixels that are left out at the left and the top of each box when it is compared with others.
        """
        boxes = self.boxes + np.array([inset, inset, 0, 0], np.float32)
        return self[box_nms(boxes, self.score, threshold=threshold, over=over, category=self.image)]


def squared(boxes: Float) -> Float:
    """Squares about the same centres, as large as the longer side; (N, 4)."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0) / 2
    return np.concatenate([centre - half, centre + half], 1)


def moved(boxes: Float, moves: Float, shorter: float = 0.0) -> Float:
    """Boxes after box regression; (N, 4).

    Args:
        boxes: (N, 4).
        moves: (N, 4) of each side, as a fraction of width or height.
        shorter: pixels that are subtracted from width and height before.
    """
    sides = boxes[:, 2:] - boxes[:, :2] - boxes.dtype.type(shorter)
    result: Float = boxes + moves * np.concatenate([sides, sides], 1)
    return result


def placed(points: Float, boxes: Float) -> Float:
    """Points (N, K, 2) given as fractions of their boxes (N, 4), in image pixels."""
    return boxes[:, None, :2] + points * (boxes[:, 2:] - boxes[:, :2])[:, None]


def pixels_of(boxes: NDArray[np.floating], height: int, width: int) -> NDArray[np.int64]:
    """Whole pixels of the image in a box: (N, 4) integers, rounded down; empty where the box is outside."""
    low = np.maximum(np.floor(boxes[:, :2]), 0)
    high = np.minimum(np.floor(boxes[:, 2:]), np.array([width, height]))
    return np.concatenate([low, high], 1).astype(np.int64)
