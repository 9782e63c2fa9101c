"""Tracked poses over a frame of a video: each instance with a box and a label in the colour of its id."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.visualize.draw import DARK, Image, draw_poses
from posekit.visualize.palette import Colour

_TURN = 0.6180339887
"""Share of the colour wheel from id to id: the golden ratio keeps near ids apart."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MARGIN = 0.1
"""Space between points and box, where the model gives no box, in sizes of the box."""


def id_colour(number: int) -> Colour:
    """The colour of an id, always the same."""
    red, green, blue = colorsys.hsv_to_rgb(number * _TURN % 1.0, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_tracked(image: Image, poses: Poses, skeleton: Skeleton, *, threshold: float = 0.3) -> Image:
    """Draw the poses of a frame, of the same size as the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        poses: (N, K) in its pixels; with ``ids`` each has a box and a label with its id.
        skeleton: of the points.
        threshold: see `draw_poses`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = draw_poses(image, poses.xy, poses.score, skeleton, threshold=threshold, enlarge=0)
    if poses.ids is None or not len(poses):
        return canvas
    boxes = _boxes(poses, threshold)
    scale = float(np.clip(max(image.shape[:2]) / 1600, 0.4, 2.0))
    for box, number in zip(boxes, poses.ids.tolist(), strict=True):
        if np.isfinite(box).all() and (np.abs(box) < 30_000).all():
            _label(canvas, box, str(number), id_colour(number), scale)
    return canvas


def _boxes(poses: Poses, threshold: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(N, 4) the boxes of the model, or those around the points with a high score and some space."""
    if poses.boxes is not None:
        return np.asarray(poses.boxes, np.float64)
    known = (poses.score >= threshold) & np.isfinite(poses.xy).all(-1)
    boxes = np.asarray(around(poses.xy.astype(np.float64), known), np.float64)
    space = _MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(-1, keepdims=True)
    boxes = np.concatenate([boxes[:, :2] - space, boxes[:, 2:] + space], -1)
    boxes[~known.any(-1)] = np.nan
    return boxes


def _label(
    canvas: Image, box: np.ndarray[tuple[int, ...], np.dtype[np.float64]], text: str, colour: Colour, scale: float
) -> None:
    x0, y0, x1, y1 = np.rint(box - 0.5).astype(int).tolist()
    line = max(1, round(2 * scale))
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, line, cv2.LINE_AA)
    (width, height), base = cv2.getTextSize(text, _FONT, scale, line)
    # Above the box, or inside where there is no room above.
    top = y0 - height - base - 2 if y0 >= height + base + 2 else y0
    cv2.rectangle(canvas, (x0, top), (x0 + width + 4, top + height + base + 2), colour, -1)
    cv2.putText(canvas, text, (x0 + 2, top + height + 1), _FONT, scale, DARK, line, cv2.LINE_AA)
