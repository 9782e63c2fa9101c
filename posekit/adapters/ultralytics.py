"""Ultralytics: the results of its pose models to `Poses`.

Its pixels are continuous, as in YOLO's labels (x divided by the width), so nothing is added.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from posekit.adapters.arrays import floats, mean_score, plain, points_and_scores
from posekit.geometry.keypoints import Poses


def from_ultralytics(result: Any) -> Poses:
    """The instances of one image.

    Args:
        result: one of those that ``model(images)`` or ``model.track(images)`` gives, with ``keypoints``.

    Returns:
        `Poses` (N, K) in continuous pixels, with boxes, classes as ``category`` and, after ``track``, ``ids``. A point
        at (0, 0), which is how Ultralytics writes those with low scores, has score 0.

    Raises:
        TypeError: it is a list of results, or has no points.
    """
    if isinstance(result, list | tuple):
        raise TypeError(f"expected one result of Ultralytics, got {len(result)}: take one after another")
    keypoints = getattr(result, "keypoints", None)
    if keypoints is None:
        raise TypeError("expected a result of an Ultralytics pose model; this one has no keypoints")
    xy = floats(keypoints.xy)
    boxes = getattr(result, "boxes", None)
    if not xy.size:
        return _none(keypoints)
    points, score = points_and_scores(xy, keypoints.conf, "Ultralytics' keypoints")
    if boxes is None:
        return Poses(points, score, mean_score(score))
    ids = getattr(boxes, "id", None)
    return Poses(
        points,
        score,
        floats(boxes.conf),
        boxes=floats(boxes.xyxy),
        category=plain(boxes.cls).astype(np.int64),
        ids=None if ids is None else plain(ids).astype(np.int64),
    )


def _none(keypoints: Any) -> Poses:
    """No instances; the number of points is that of ``data``, or 1 where even that is not known."""
    shape = plain(keypoints.data).shape
    return Poses.empty(max(int(shape[1]), 1) if len(shape) == 3 else 1)
