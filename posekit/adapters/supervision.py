"""supervision: its ``KeyPoints`` to `Poses` and back, with the names of its fields before and since 0.29.

Pixels are passed on as they are: supervision holds what a model gave, and draws ``int(x)``, as for continuous pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.adapters.arrays import floats, mean_score, plain, points_and_scores
from posekit.extras import require
from posekit.geometry.keypoints import Poses

IDS, BOXES, COVARIANCE = "tracker_id", "xyxy", "covariance"
"""Keys of ``data`` for what ``KeyPoints`` has no field for; the last is supervision's own."""


def from_supervision(key_points: Any) -> Poses:
    """The instances of a ``KeyPoints``.

    Args:
        key_points: of any version: with ``keypoint_confidence`` and ``detection_confidence``, or ``confidence``.

    Returns:
        `Poses` (N, K), pixels as they are. Points that are not ``visible`` have score 0. ``spread`` is the root of the
        diagonal of ``data["covariance"]``, where there is one; ids and boxes come from ``data`` as `to_supervision`
        puts them.

    Raises:
        TypeError: it is no ``KeyPoints``.
        ValueError: its arrays do not fit together.
    """
    if not hasattr(key_points, "xy") or not hasattr(key_points, "class_id"):
        raise TypeError(f"expected a KeyPoints of supervision; got {type(key_points).__name__}")
    known = vars(key_points)  # the old name is a property that warns in the new versions
    xy = floats(key_points.xy)
    score = known.get("keypoint_confidence", known.get("confidence"))
    if not xy.size:
        return Poses.empty(xy.shape[1] if xy.ndim == 3 and xy.shape[1] else 1)
    points, scores = points_and_scores(xy, score, "supervision's key points")
    visible = known.get("visible")
    if visible is not None:
        scores = np.where(plain(visible).astype(bool), scores, 0.0)
    data: Mapping[str, Any] = known.get("data") or {}
    total = known.get("detection_confidence", data.get("detection_confidence"))
    return Poses(
        points,
        scores,
        mean_score(scores) if total is None else floats(total),
        boxes=floats(data[BOXES]) if BOXES in data else None,
        category=None if key_points.class_id is None else plain(key_points.class_id).astype(np.int64),
        ids=plain(data[IDS]).astype(np.int64) if IDS in data else None,
        spread=_spread(data.get(COVARIANCE)),
    )


def _spread(covariance: Any) -> NDArray[np.float64] | None:
    """(N, K, 2) standard deviations from covariances (N, K, 2, 2)."""
    if covariance is None:
        return None
    return np.asarray(np.sqrt(np.maximum(np.diagonal(floats(covariance), axis1=-2, axis2=-1), 0)))


def to_supervision(poses: Poses, kind: Any = None) -> Any:
    """``supervision.KeyPoints`` with the same instances.

    Args:
        poses: (N, K) of one image, NumPy arrays.
        kind: the class ``KeyPoints``; ``None``: that of the installed supervision.

    Returns:
        A ``KeyPoints``: scores of points, and of instances where the version has a field for them (else in ``data``
        under ``detection_confidence``); in ``data`` ids, boxes, and spreads as ``covariance``. Missing points are at
        (0, 0), and not ``visible`` where the version has that.

    Raises:
        ModuleNotFoundError: supervision is not installed, and no class was given.
    """
    kind = kind or require("supervision", "to_supervision").KeyPoints
    if not len(poses) and hasattr(kind, "empty"):
        return kind.empty()
    fields = getattr(kind, "__dataclass_fields__", {})
    score = np.asarray(poses.score, np.float32)
    seen = score > 0
    named: dict[str, Any] = {"xy": np.where(seen[..., None], np.asarray(poses.xy, np.float32), np.float32(0))}
    if poses.category is not None:
        named["class_id"] = np.asarray(poses.category, np.int64)
    data = _data(poses)
    total = np.asarray(poses.instance_score, np.float32)
    named["keypoint_confidence" if "keypoint_confidence" in fields else "confidence"] = score
    if "detection_confidence" in fields:
        named["detection_confidence"] = total
    else:
        data["detection_confidence"] = total
    if "visible" in fields:
        named["visible"] = seen
    return kind(**named, data=data)


def _data(poses: Poses) -> dict[str, Any]:
    """What has no field of its own."""
    data: dict[str, Any] = {}
    if poses.ids is not None:
        data[IDS] = np.asarray(poses.ids, np.int64)
    if poses.boxes is not None:
        data[BOXES] = np.asarray(poses.boxes, np.float32)
    if poses.spread is not None:
        data[COVARIANCE] = np.asarray(poses.spread, np.float32)[..., None] ** 2 * np.eye(2, dtype=np.float32)
    return data
