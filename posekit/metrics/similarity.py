"""Object keypoint similarity (OKS): similarity of two poses in [0, 1], relative to the size of the instance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


def _spread(sigmas: Sequence[float] | Float, points: int) -> Float:
    """(K,) denominator of each point's exponent: 2 (2 sigma)^2."""
    s = np.asarray(sigmas, dtype=np.float64)
    if s.shape != (points,):
        raise ValueError(f"OKS needs one sigma a point, {points}; got {s.size}")
    return 2 * (2 * s) ** 2


def similarity(squared: Float, area: Float, sigmas: Sequence[float] | Float) -> Float:
    """Similarity of single points: 1 where they are equal, about 0.61 at a distance of two sigmas.

    Args:
        squared: (..., K) squared distances, square pixels.
        area: (...) square pixels of the instance, positive.
        sigmas: (K,) as in `oks`.

    Raises:
        ValueError: not one sigma a point.
    """
    return np.asarray(np.exp(-squared / (area[..., None] * _spread(sigmas, squared.shape[-1]))))


def oks(xy: Float, truth: Float, labelled: Bool, area: Float, sigmas: Sequence[float] | Float) -> Float:
    """OKS of each prediction with its own ground truth.

    Args:
        xy: (M, K, 2) predictions, pixels of the image as labelled; NaN counts as a miss.
        truth: (M, K, 2) in the same frame.
        labelled: (M, K) bool.
        area: (M,) square pixels of the true instance's segment.
        sigmas: (K,) standard deviation of human labels of each point, in square roots of the area.

    Returns:
        (M,) in [0, 1]; NaN where no point is labelled or the area is not positive.

    Raises:
        ValueError: not one sigma a point.

    Source: COCO's keypoint evaluation (Lin et al. 2014, arXiv:1405.0312, and its code).
    """
    squared = ((xy.astype(np.float64) - truth) ** 2).sum(-1)
    squared = np.where(np.isnan(xy).any(-1), np.inf, squared)
    usable = np.isfinite(area) & (area > 0)
    size = np.where(usable, area, 1.0)
    alike = similarity(squared, size, sigmas)
    n = labelled.sum(1)
    mean = np.where(labelled, alike, 0.0).sum(1) / np.maximum(n, 1)
    return np.asarray(np.where(usable & (n > 0), mean, np.nan))


def oks_between(a: Float, b: Float, area_a: Float, area_b: Float, sigmas: Sequence[float] | Float) -> Float:
    """OKS of every pose of ``a`` with every pose of ``b``, with the mean of their areas; used in suppression.

    Args:
        a: (A, K, 2) pixels.
        b: (B, K, 2) pixels.
        area_a: (A,) square pixels, positive.
        area_b: (B,) square pixels, positive.
        sigmas: (K,).

    Returns:
        (A, B) in [0, 1], over all K points.

    Raises:
        ValueError: not one sigma a point.

    Source: OKS NMS of SimpleBaseline and HRNet, arXiv:1804.06208, arXiv:1902.09212.
    """
    squared = ((a[:, None].astype(np.float64) - b[None]) ** 2).sum(-1)
    size = (area_a[:, None] + area_b[None]) / 2
    return np.asarray(similarity(squared, size, sigmas).mean(-1))
