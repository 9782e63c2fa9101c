"""Optical flow between the frames of a video: where points have moved to."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SIDE = 384
"""Longer side of the images between which flow is computed, pixels."""

SMALLEST = 16
"""Shorter side from which on there is flow at all: that of a patch, and of what is around it."""


class Flow:
    """Dense flow from each image of a video to the next, by OpenCV's DIS.

    Args:
        side: larger images are scaled down to it.

    Source: Kroeger et al. 2016, arXiv:1603.03590; its fast preset.
    """

    def __init__(self, side: int = SIDE) -> None:
        self.side = side
        self.method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.last: NDArray[Any] | None = None
        self.field: NDArray[Any] | None = None
        self.scale = np.ones(2)

    def __call__(self, image: NDArray[Any]) -> None:
        """Take the next image, RGB uint8 (H, W, 3); after the first, and after one of the same size, there is flow."""
        height, width = image.shape[:2]
        factor = min(1.0, self.side / max(height, width))
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
        grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        self.field = None
        if self.last is not None and self.last.shape == grey.shape and min(size) >= SMALLEST:
            self.field = self.method.calc(self.last, grey, np.zeros((*grey.shape, 2), np.float32))
        self.last, self.scale = grey, np.array([width, height]) / size

    def steps(self, xy: Float) -> tuple[Float, NDArray[np.bool_]]:
        """How far points of the image before have moved.

        Args:
            xy: (..., 2) pixels of the image before.

        Returns:
            (..., 2) pixels, and whether they are known (...): inside the image, where there is flow.
        """
        if self.field is None:
            return np.zeros_like(xy), np.zeros(xy.shape[:-1], bool)
        height, width = self.field.shape[:2]
        cells = xy / self.scale
        inside = np.asarray(((cells >= 0) & (cells <= (width, height))).all(-1))
        column, row = np.moveaxis(np.where(inside[..., None], cells, 0.0).astype(np.intp), -1, 0)
        field = self.field[np.minimum(row, height - 1), np.minimum(column, width - 1)]
        return np.where(inside[..., None], field * self.scale, 0.0), inside
