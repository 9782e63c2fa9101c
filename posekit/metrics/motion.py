"""How steady and how late points are over time: acceleration, jerk, lag. Pure functions on arrays.

A track is (T, ...) locations, for example (T, K, 2) pixels; what follows the first axis but the last is averaged over.
NaN marks frames in which a location is unknown; differences that touch one are left out. Divide locations by the
object's size first to compare people of different sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How steady a track is.

    Args:
        acceleration: mean length of the second differences, per frame squared (SmoothNet's unit).
        energy: mean square of these lengths, per frame to the fourth.
        error: mean length of the difference to the true acceleration, SmoothNet's acceleration error; NaN without
            a truth.
    """

    acceleration: float
    energy: float
    error: float


def accelerations(xy: Float) -> Float:
    """(T - 2, ..., C) second differences over three frames in a row, per frame squared."""
    xy = np.asarray(xy, np.float64)
    if xy.ndim < 2:
        raise ValueError(f"a track has shape (T, ..., C), locations along time; got {xy.shape}")
    return np.asarray(xy[2:] - 2 * xy[1:-1] + xy[:-2])


def steadiness(xy: Float, truth: Float | None = None) -> Steadiness:
    """Acceleration of a track, and its error.

    Args:
        xy: (T, ..., C) evenly spaced in time.
        truth: the same shape, or ``None``.

    Returns:
        NaN where fewer than three frames in a row are known.

    Raises:
        ValueError: the shapes differ.

    Source: Zeng et al. 2022 (SmoothNet), arXiv:2112.13715, the metric Accel; multiply by fps squared for seconds.
    """
    found = accelerations(xy)
    if truth is not None and np.shape(truth) != np.shape(xy):
        raise ValueError(f"track and truth need the same shape; got {np.shape(xy)} and {np.shape(truth)}")
    length = np.linalg.norm(found, axis=-1)
    off = np.full(1, np.nan) if truth is None else np.linalg.norm(found - accelerations(truth), axis=-1)
    return Steadiness(acceleration=_mean(length), energy=_mean(length**2), error=_mean(off))


def position_error(xy: Float, truth: Float) -> float:
    """Mean distance between a track and the truth, in the unit of both.

    Args:
        xy: (T, ..., C).
        truth: the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if np.shape(truth) != np.shape(xy):
        raise ValueError(f"track and truth need the same shape; got {np.shape(xy)} and {np.shape(truth)}")
    return _mean(np.linalg.norm(np.asarray(xy, np.float64) - truth, axis=-1))


def normalised_jerk(xy: Float, times: Float, step: float = 0.2) -> float:
    """Jerk without a unit, larger for a shaky movement; compare tracks of equal duration.

    ``sqrt(1/2 x mean jerk squared x duration^6 / length^2)``. Jerk and path length are differences over a fixed time,
    so the value does not depend on the frame rate, neither for a smooth movement nor for noise.

    Args:
        xy: (T, ..., C).
        times: (T,) seconds, increasing, any spacing.
        step: seconds between the four locations from which a jerk is computed; at least the time between two frames.

    Returns:
        Mean over points; those that do not move are left out. NaN where the track is shorter than three steps.

    Raises:
        ValueError: the times do not fit the track.

    Source: Teulings et al. 1997, doi:10.1006/exnr.1997.6507. Differs: differences over a fixed step, so the jerk of
    the first and last step and a half is not seen; between frames locations are interpolated by cubics.
    """
    xy, times = _timed(xy, times)
    if len(times) < 4 or times[-1] - times[0] < 3 * step:
        return float("nan")
    start = times[times <= times[-1] - 3 * step + 1e-9]
    path = _cubic(xy, times, start[:, None] + step * np.arange(4))
    jerk = (path[:, 3] - 3 * path[:, 2] + 3 * path[:, 1] - path[:, 0]) / step**3
    long = times[-1] - times[0]
    even = _cubic(xy, times, np.arange(times[0], times[-1] + 1e-9, step))
    length = np.nansum(np.linalg.norm(np.diff(even, axis=0), axis=-1), axis=0)
    square = (jerk**2).sum(-1)
    known = np.isfinite(square)
    mean = np.where(known, square, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    moving = (length > 1e-9 * np.nanmax(np.abs(xy), initial=0.0)) & known.any(0)
    value = np.sqrt(0.5 * mean * long**6) / np.where(moving, length, 1.0)
    return _mean(np.where(moving, value, np.nan))


def lag_ms(xy: Float, truth: Float, times: Float, longest: float = 0.5) -> float:
    """By how much a track comes late, ms; negative: early.

    The shift in time at which it fits the truth best, in the sense of least squares (where the cross-correlation of the
    two is largest); between frames by a parabola.

    Args:
        xy: (T, ..., C).
        truth: the same shape.
        times: (T,) seconds, increasing; uneven tracks are resampled at their median spacing.
        longest: largest shift, seconds either way.

    Returns:
        NaN where the truth does not move, or the track is shorter than three times the largest shift.

    Raises:
        ValueError: shapes or times do not fit.
    """
    if np.shape(truth) != np.shape(xy):
        raise ValueError(f"track and truth need the same shape; got {np.shape(xy)} and {np.shape(truth)}")
    xy, times = _timed(xy, times)
    dt = float(np.median(np.diff(times))) if len(times) > 1 else longest
    reach = max(round(longest / dt), 1)
    if len(times) < 3 * reach + 1:
        return float("nan")
    even = times[0] + dt * np.arange(int((times[-1] - times[0]) / dt + 1e-6) + 1)
    found = _at(xy, times, even).reshape(len(even), -1)
    right = _at(np.asarray(truth, np.float64), times, even).reshape(len(even), -1)[reach:-reach]
    if not np.nanmax(np.abs(right - right[:1]), initial=0.0) > 0:
        return float("nan")
    windows = np.lib.stride_tricks.sliding_window_view(found, len(right), axis=0)
    off = windows - right.T
    known = np.isfinite(off)
    score = np.where(known, off, 0.0) ** 2
    cost = score.sum((1, 2)) / np.maximum(known.sum((1, 2)), 1)
    best = int(np.argmin(cost))
    if not 0 < best < len(cost) - 1:
        return float((best - reach) * dt * 1000)
    low, middle, high = cost[best - 1 : best + 2]
    bend = low - 2 * middle + high
    between = 0.5 * (low - high) / bend if bend > 0 else 0.0
    return float((best - reach + between) * dt * 1000)


def _timed(xy: Float, times: Float) -> tuple[Float, Float]:
    xy, times = np.asarray(xy, np.float64), np.asarray(times, np.float64)
    if xy.ndim < 2 or times.shape != xy.shape[:1] or not (np.diff(times) > 0).all():
        raise ValueError(f"expected a track (T, ..., C) and T increasing times; got {xy.shape} and {times.shape}")
    return xy, times


def _at(xy: Float, times: Float, wanted: Float) -> Float:
    """(*wanted.shape, ...) locations at other times, by linear interpolation."""
    after = np.clip(np.searchsorted(times, wanted, side="left"), 1, len(times) - 1)
    share = (wanted - times[after - 1]) / (times[after] - times[after - 1])
    share = np.clip(share, 0.0, 1.0).reshape(*wanted.shape, *(1,) * (xy.ndim - 1))
    low, high = xy[after - 1], xy[after]
    return np.asarray(np.where(share == 0, low, np.where(share == 1, high, low + share * (high - low))))


def _cubic(xy: Float, times: Float, wanted: Float) -> Float:
    """(*wanted.shape, ...) locations at other times, by the cubic through the four frames around each."""
    first = np.clip(np.searchsorted(times, wanted, side="left") - 2, 0, len(times) - 4)
    rows = first[..., None] + np.arange(4)
    away = wanted[..., None] - times[rows]
    between = times[rows][..., :, None] - times[rows][..., None, :]
    shares = np.where(np.eye(4, dtype=bool), 1.0, away[..., None, :] / np.where(between == 0, 1.0, between)).prod(-1)
    shares = np.where(np.abs(shares) < 1e-9, 0.0, shares).reshape(*rows.shape, *(1,) * (xy.ndim - 1))
    return np.asarray(np.where(shares == 0, 0.0, shares * xy[rows]).sum(wanted.ndim))


def _mean(values: Float) -> float:
    """Mean of the finite values; NaN where there is none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else float("nan")
