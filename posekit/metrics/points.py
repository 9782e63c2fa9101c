"""Errors of points: PCK, NME, AUC, EPE. Pure functions on arrays, no loop over points.

Every function takes the distances of `errors` and the mask of labelled points; a norm that is NaN, infinite or not
positive leaves its instance out. A prediction that is not a number is infinitely far away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

TWENTIETHS = tuple(i / 20 for i in range(20))
"""Thresholds of the usual AUC: 0, 0.05, ... 0.95 of the norm."""


@dataclass(frozen=True, slots=True, eq=False)
class PerPoint:
    """A metric for each point.

    Args:
        values: (K,); NaN where no instance counts.
        counts: (K,) number of instances that count.
    """

    values: Float
    counts: NDArray[np.integer]

    @property
    def mean(self) -> float:
        """Mean over the points with at least one counted instance: every point has the same weight."""
        return mean_of(self.values[self.counts > 0])

    @property
    def pooled(self) -> float:
        """Mean over all labelled points of all instances: a point is weighted by how often it is labelled."""
        total = int(self.counts.sum())
        return (
            float((np.where(self.counts > 0, self.values, 0.0) * self.counts).sum() / total) if total else float("nan")
        )


def mean_of(values: Float) -> float:
    """Mean; NaN for an empty array, without a warning."""
    return float(np.mean(values)) if np.size(values) else float("nan")


def errors(xy: Float, truth: Float, unit: Float | None = None) -> Float:
    """Distance of each prediction from the truth.

    Args:
        xy: (..., K, 2) predictions, pixels.
        truth: (..., K, 2) in the same frame.
        unit: (..., 2) lengths by which x and y are divided first, where a protocol scales the axes separately (MMPose's
            PCK by box width and height); ``None``: pixels.

    Returns:
        (..., K) pixels, or fractions of ``unit``; infinite where a prediction is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if xy.shape != truth.shape or xy.shape[-1:] != (2,):
        raise ValueError(f"predictions and truth need the same shape (..., K, 2); got {xy.shape} and {truth.shape}")
    difference = xy.astype(np.float64) - truth
    if unit is not None:
        difference = difference / unit[..., None, :]
    distance = np.hypot(difference[..., 0], difference[..., 1])
    return np.asarray(np.where(np.isnan(xy).any(-1), np.inf, distance))


def _counted(errors: Float, labelled: Bool, norm: Float | None) -> tuple[Float, Bool]:
    """Errors in units of the norm (M, K), and which of them count (M, K)."""
    if errors.ndim != 2 or errors.shape != labelled.shape:
        raise ValueError(f"errors and labelled need the same shape (M, K); got {errors.shape} and {labelled.shape}")
    if norm is None:
        return errors, labelled.astype(bool)
    if norm.shape != errors.shape[:1]:
        raise ValueError(f"norm needs one length an instance, shape {errors.shape[:1]}; got {norm.shape}")
    usable = np.isfinite(norm) & (norm > 0)
    return errors / np.where(usable, norm, 1.0)[:, None], labelled.astype(bool) & usable[:, None]


def _per_point(values: Float, counted: Bool) -> PerPoint:
    """Mean of (M, K) values over the instances that count."""
    counts = counted.sum(0)
    total = np.where(counted, values, 0.0).sum(0)
    return PerPoint(np.where(counts > 0, total / np.maximum(counts, 1), np.nan), counts)


def pck(errors: Float, labelled: Bool, norm: Float | None, threshold: float = 0.2, *, strict: bool = True) -> PerPoint:
    """Share of points that lie nearer to the truth than ``threshold`` norms.

    Args:
        errors: (M, K) pixels.
        labelled: (M, K) bool.
        norm: (M,) pixels; ``None`` if the errors are already in norms.
        threshold: in norms.
        strict: ``<`` as in MMPose; otherwise ``<=`` as in MPII's code.

    Returns:
        Shares in [0, 1]; ``.mean`` over points is the usual PCK, ``.pooled`` MPII's.
    """
    scaled, counted = _counted(errors, labelled, norm)
    near = scaled < threshold if strict else scaled <= threshold
    return _per_point(near.astype(np.float64), counted)


def pckh(errors: Float, labelled: Bool, heads: Float, left_out: Sequence[int] = (), threshold: float = 0.5) -> PerPoint:
    """MPII's PCKh: PCK by head size with ``<=``, some points left out; its mean is ``.pooled``.

    Args:
        errors: (M, K) pixels.
        labelled: (M, K) bool.
        heads: (M,) head sizes, see `posekit.metrics.norms.head_box`.
        left_out: indices of points; MPII leaves out pelvis and thorax (6, 7).
        threshold: in head sizes.
    """
    counted = labelled.astype(bool).copy()
    counted[:, list(left_out)] = False
    return pck(errors, counted, heads, threshold, strict=False)


def nme(errors: Float, labelled: Bool, norm: Float | None) -> PerPoint:
    """Mean error in norms; ``.pooled`` over all labelled points is the usual NME.

    Args:
        errors: (M, K) pixels.
        labelled: (M, K) bool.
        norm: (M,) pixels.
    """
    return _per_point(*_counted(errors, labelled, norm))


def epe(errors: Float, labelled: Bool) -> PerPoint:
    """Mean error in pixels; ``.pooled`` over all labelled points is the usual EPE."""
    return nme(errors, labelled, None)


def median(errors: Float, labelled: Bool, norm: Float | None = None) -> tuple[Float, float]:
    """Median error, which is robust to a few lost points.

    Returns:
        (K,) of each point, NaN where nothing counts, and the median over all counted points.
    """
    scaled, counted = _counted(errors, labelled, norm)
    pool = scaled[counted]
    # Sorted with uncounted values (infinity) at the end, the median is the mean of the two middle values.
    rows = np.sort(np.where(counted, scaled, np.inf), axis=0)
    n = counted.sum(0)
    if not len(rows):
        return np.full(scaled.shape[1], np.nan), float("nan")
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, len(rows) - 1)
    middle = np.take_along_axis(rows, np.stack([low, high]), axis=0)
    each = np.where(n > 0, np.where(n > 0, middle, 0.0).mean(0), np.nan)
    return each, float(np.median(pool)) if pool.size else float("nan")


def nme_each(errors: Float, labelled: Bool, norm: Float | None) -> Float:
    """(M,) mean error of each instance in norms; NaN where nothing counts."""
    scaled, counted = _counted(errors, labelled, norm)
    n = counted.sum(1)
    return np.asarray(np.where(n > 0, np.where(counted, scaled, 0.0).sum(1) / np.maximum(n, 1), np.nan))


def failure_rate(each: Float, threshold: float = 0.1) -> float:
    """Share of instances whose own NME exceeds ``threshold``.

    Args:
        each: (M,) of `nme_each`; NaN is left out.
        threshold: in norms.
    """
    return mean_of((each[~np.isnan(each)] > threshold).astype(np.float64))


def area_under(each: Float, limit: float = 0.1) -> float:
    """Area under the cumulative distribution of errors up to ``limit``, in [0, 1].

    The share of instances below a threshold, averaged over all thresholds from 0 to the limit: each instance adds
    ``max(0, 1 - error / limit)``, so the integral is exact.

    Args:
        each: (M,) or any shape, in norms; NaN is left out.
        limit: in norms.
    """
    return mean_of(np.clip(1 - each[~np.isnan(each)] / limit, 0.0, 1.0))


def auc(
    errors: Float, labelled: Bool, norm: Float | None, thresholds: Sequence[float] = TWENTIETHS, *, strict: bool = True
) -> float:
    """PCK averaged over thresholds.

    Args:
        errors: (M, K) pixels.
        labelled: (M, K) bool.
        norm: (M,) pixels.
        thresholds: in norms; the default is MMPose's, whose first (0) always gives 0.
        strict: ``<`` rather than ``<=``.
    """
    scaled, counted = _counted(errors, labelled, norm)
    shares = [pck(scaled, counted, None, t, strict=strict).mean for t in thresholds]
    return mean_of(np.asarray(shares))
