"""Arrays of other libraries, tensors on any device included, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def plain(value: Any) -> NDArray[Any]:
    """A NumPy array from an array, a list, or a tensor on any device."""
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def floats(value: Any) -> Float:
    """The same in float64."""
    return plain(value).astype(np.float64)


def points_and_scores(xy: Any, score: Any, what: str) -> tuple[Float, Float]:
    """(N, K, 2) and (N, K) in [0, 1], sound: a point that is missing has score 0 and a finite location.

    Missing are points that are not finite, and those at exactly (0, 0), which is how the libraries write them.

    Args:
        xy: (N, K, 2).
        score: (N, K); ``None``: 1.
        what: they are, for the message.

    Raises:
        ValueError: the shapes do not fit.
    """
    points = floats(xy)
    if points.ndim != 3 or points.shape[-1] != 2:
        raise ValueError(f"{what}: expected points (N, K, 2); got {points.shape}")
    scores = np.ones(points.shape[:2]) if score is None else floats(score)
    if scores.shape != points.shape[:2]:
        raise ValueError(f"{what}: expected scores {points.shape[:2]} for points {points.shape}; got {scores.shape}")
    there = np.asarray(np.isfinite(points).all(-1)) & (points != 0).any(-1)
    scores = np.where(there, np.clip(np.nan_to_num(scores, nan=0.0, posinf=1.0), 0, 1), 0.0)
    return np.where(there[..., None], points, 0.0), scores


def mean_score(score: Float) -> Float:
    """(N,) mean score of the points that are there; 0 without any."""
    return np.asarray(score.sum(-1) / np.maximum((score > 0).sum(-1), 1))
