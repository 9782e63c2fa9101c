"""Boxes: (..., 4) as x0 y0 x1 y1 in continuous pixels. NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]


def from_xywh(boxes: Float) -> Float:
    """(..., 4) x y width height, the way COCO writes them, to corners."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def to_xywh(boxes: Float) -> Float:
    """Corners to (..., 4) x y width height."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def extent(boxes: Float) -> Float:
    """(..., 2) width and height, never negative."""
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0)


def area(boxes: Float) -> Float:
    """(...) square pixels."""
    return np.asarray(extent(boxes).prod(-1))


def iou(a: Float, b: Float) -> Float:
    """IoU of every box of ``a`` (N, 4) with every box of ``b`` (M, 4): (N, M) in [0, 1]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.maximum(high - low, 0).prod(-1)
    union = area(a)[:, None] + area(b)[None] - inner
    return np.asarray(np.where(union > 0, inner / np.maximum(union, 1e-12), 0.0))


def usable(boxes: Float) -> NDArray[np.bool_]:
    """(...) whether boxes (..., 4) are finite and have a width and a height."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(boxes).all(-1) & (boxes[..., 2:] > boxes[..., :2]).all(-1))


def or_around_points(boxes: Float, xy: Float, labelled: NDArray[np.bool_], margin: float = 0.1) -> Float:
    """Replace boxes without extent by the box around their labelled points, at least a pixel wide and high.

    Args:
        boxes: (N, 4).
        xy: (N, K, 2).
        labelled: (N, K) bool.
        margin: added on every side, in fractions of the box around the points.

    Returns:
        (N, 4), dtype of ``boxes``; a box without extent is unchanged if no point is labelled.
    """
    bad = ~usable(boxes) & labelled.any(-1)
    if not bad.any():
        return boxes
    made = around(xy[bad], labelled[bad], margin)
    centre, half = (made[:, :2] + made[:, 2:]) / 2, np.maximum(extent(made) / 2, 0.5)
    result = boxes.copy()
    result[bad] = np.concatenate([centre - half, centre + half], -1)
    return result


def around(xy: Float, labelled: NDArray[np.bool_], margin: float = 0.0) -> Float:
    """The box around the labelled points.

    Args:
        xy: (..., K, 2).
        labelled: (..., K) bool.
        margin: added on every side, in fractions of the box.

    Returns:
        (..., 4); zeros where no point is labelled.
    """
    mask = labelled[..., None]
    low = np.where(mask, xy, np.inf).min(-2)
    high = np.where(mask, xy, -np.inf).max(-2)
    some = np.asarray(labelled.any(-1))[..., None]
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    grow = (high - low) * margin
    return np.concatenate([low - grow, high + grow], axis=-1)
