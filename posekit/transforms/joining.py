"""People of several samples in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posekit.geometry.keypoints import Instances, Keypoints


def joined(parts: Sequence[Instances]) -> Instances:
    """The instances of all parts, in their order; the types are those of the first.

    Args:
        parts: (N, ...) NumPy instances of one skeleton, at least one. Where one has depths, those of a part without
            are unknown.
    """
    points = [part.keypoints for part in parts]
    depth = known = None
    if any(p.depth is not None for p in points):
        depth = np.concatenate(
            [np.zeros(p.visibility.shape, np.float32) if p.depth is None else p.depth for p in points]
        )
        known = np.concatenate([_known(p) for p in points])
    return Instances(
        keypoints=Keypoints(
            xy=_column([p.xy for p in points]),
            visibility=_column([p.visibility for p in points]),
            depth=depth,
            depth_known=known,
        ),
        boxes=_column([part.boxes for part in parts]),
        area=_column([part.area for part in parts]),
        category=_column([part.category for part in parts]),
        role=_column([part.role for part in parts]),
    )


def _column(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(columns, dtype=columns[0].dtype, casting="same_kind")


def _known(points: Keypoints) -> np.ndarray:
    if points.depth_known is not None:
        return np.asarray(points.depth_known)
    return np.full(points.visibility.shape, points.depth is not None)
