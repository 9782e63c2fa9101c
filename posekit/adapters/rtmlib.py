"""rtmlib: arrays of points (N, K, 2) and scores (N, K) to `Poses` and back.

rtmlib's models are trained on pixel indices, so 0.5 is added here and taken off on the way back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.adapters.arrays import mean_score, points_and_scores
from posekit.data.coco_dataset import HALF_PIXEL
from posekit.geometry.keypoints import Poses


def from_rtmlib(keypoints: Any, scores: Any) -> Poses:
    """The points that ``keypoints, scores = model(image)`` gives.

    Args:
        keypoints: (N, K, 2) pixel indices.
        scores: (N, K); RTMPose's may exceed 1 and then count as 1.

    Returns:
        `Poses` (N, K) in continuous pixels; an instance's score is the mean of its points.

    Raises:
        ValueError: the shapes do not fit.

    >>> from_rtmlib([[[10.0, 20.0]]], [[0.5]]).xy.tolist()
    [[[10.5, 20.5]]]
    """
    xy, score = points_and_scores(keypoints, scores, "rtmlib's keypoints")
    return Poses(np.where((score > 0)[..., None], xy + HALF_PIXEL, xy), score, mean_score(score))


def to_rtmlib(poses: Poses) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``keypoints`` (N, K, 2) in pixel indices and ``scores`` (N, K), as rtmlib's drawing takes them.

    Args:
        poses: (N, K) of one image, NumPy arrays.
    """
    score = np.asarray(poses.score, np.float64)
    xy = np.asarray(poses.xy, np.float64)
    return np.where((score > 0)[..., None], xy - HALF_PIXEL, 0.0), score
