"""MediaPipe: its landmarks of poses, hands and faces to `Poses`, from the tasks and from the older solutions.

Landmarks are fractions of the image, so pixels are continuous and nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from posekit.adapters.arrays import mean_score
from posekit.geometry.keypoints import Poses

_TASKS = ("pose_landmarks", "hand_landmarks", "face_landmarks")
_SOLUTIONS = ("multi_hand_landmarks", "multi_face_landmarks")


def from_mediapipe(result: Any, size: tuple[int, int]) -> Poses:
    """The instances that MediaPipe found in one image.

    Args:
        result: what ``PoseLandmarker.detect`` (or that of hands or faces) or ``Pose.process`` (``Hands``, ``FaceMesh``)
            gives, or a list of landmarks of instances.
        size: height and width of the image, pixels.

    Returns:
        `Poses` (N, K) in continuous pixels. The score of a point is MediaPipe's ``visibility``, that it is in the image
        and not hidden; without one it is 1. ``depth`` is its ``z`` in pixels, relative to the hips (hand: wrist). For
        people K is 33: `posekit.skeletons.SKELETONS["mediapipe33"]`.

    Raises:
        TypeError: there are no landmarks in it.
        ValueError: the size is not positive, or instances have different numbers of points.
    """
    height, width = size
    if height <= 0 or width <= 0:
        raise ValueError(f"expected the height and width of the image in pixels; got {size}")
    people = [_points(person) for person in _people(result)]
    if not people:
        return Poses.empty(33)
    counts = {len(person) for person in people}
    if len(counts) > 1:
        raise ValueError(f"instances have different numbers of landmarks: {sorted(counts)}; give those of one model")
    values = np.array([[_values(point) for point in person] for person in people], np.float64)
    xy = values[..., :2] * (width, height)
    there = np.asarray(np.isfinite(xy).all(-1))
    score = np.where(there, np.clip(np.nan_to_num(values[..., 3], nan=1.0), 0, 1), 0.0)
    # z has about the scale of x, which is a fraction of the width.
    depth = np.nan_to_num(values[..., 2]) * width
    return Poses(np.where(there[..., None], xy, 0.0), score, mean_score(score), depth=depth)


def _people(result: Any) -> Sequence[Any]:
    """The landmarks of each instance."""
    if isinstance(result, list | tuple):
        return result
    names = [name for name in (*_TASKS, *_SOLUTIONS) if hasattr(result, name)]
    if not names:
        raise TypeError(
            f"expected a result of MediaPipe with one of {', '.join((*_TASKS, *_SOLUTIONS))}; got "
            f"{type(result).__name__}"
        )
    found = getattr(result, names[0])
    if found is None:
        return []
    # The solutions give the one person directly.
    return [found] if hasattr(found, "landmark") else list(found)


def _points(person: Any) -> Sequence[Any]:
    return list(getattr(person, "landmark", person))


def _values(point: Any) -> tuple[float, float, float, float]:
    """x, y, z, visibility of a landmark; NaN where it has none."""
    visibility = getattr(point, "visibility", None)
    if visibility is not None and hasattr(point, "HasField") and not point.HasField("visibility"):
        visibility = None  # a message that was never told it says 0
    z = getattr(point, "z", None)
    return point.x, point.y, np.nan if z is None else z, np.nan if visibility is None else visibility
