"""Kalman filtering of many coordinates at once: location and speed, with acceleration as white noise.

A state is three arrays: locations ``x`` and speeds ``v`` (...,), and covariances ``p`` (..., 3): of the location, of
location with speed, of the speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Locations and speeds with their covariance."""

    x: Float
    v: Float
    p: Float


def predict(now: Belief, dt: Float, q: Float, *, moving: bool = True) -> Belief:
    """The state ``dt`` later.

    Args:
        now: (...,).
        dt: seconds, broadcastable to (...,).
        q: variance of the change of speed in one second (with ``moving=False``: of the location), likewise.
        moving: constant speed; otherwise a random walk.
    """
    xx, xv, vv = now.p[..., 0], now.p[..., 1], now.p[..., 2]
    if not moving:
        return Belief(now.x, now.v, np.stack([xx + q * dt, xv, vv], -1))
    p = np.stack([xx + dt * (2 * xv + dt * vv) + q * dt**3 / 3, xv + dt * vv + q * dt**2 / 2, vv + q * dt], -1)
    return Belief(now.x + dt * now.v, now.v, p)


def update(ahead: Belief, z: Float, r: Float) -> Belief:
    """The state after a measurement.

    Args:
        ahead: (...,) predicted.
        z: (...,) measured locations.
        r: (...,) variances of the measurements.
    """
    xx, xv, vv = ahead.p[..., 0], ahead.p[..., 1], ahead.p[..., 2]
    total = xx + r
    kx, kv = xx / total, xv / total
    innovation = z - ahead.x
    p = np.stack([kx * r, kv * r, vv - kv * xv], -1)
    return Belief(ahead.x + kx * innovation, ahead.v + kv * innovation, p)


def step_back(now: Belief, later: Belief, dt: Float, q: Float, *, moving: bool = True) -> Belief:
    """One step of the Rauch-Tung-Striebel smoother.

    Args:
        now: (...,) filtered, of the earlier frame.
        later: (...,) smoothed, of the next frame; its covariance is not used.
        dt: seconds between the two.
        q: as in `predict`.
        moving: as in `predict`.

    Returns:
        The smoothed state of the earlier frame, with the covariance of ``now``.
    """
    ahead = predict(now, dt, q, moving=moving)
    a, b, d = ahead.p[..., 0], ahead.p[..., 1], ahead.p[..., 2]
    xx, xv, vv = now.p[..., 0], now.p[..., 1], now.p[..., 2]
    ex, ev = later.x - ahead.x, later.v - ahead.v
    if not moving:
        return Belief(now.x + np.where(a > 0, xx / np.where(a > 0, a, 1.0), 0.0) * ex, now.v, now.p)
    det = a * d - b * b
    det = np.where(det > 0, det, 1.0)
    # P F' applied to the inverse of the predicted covariance times the surprise.
    gx, gv = (d * ex - b * ev) / det, (a * ev - b * ex) / det
    x = now.x + (xx + dt * xv) * gx + xv * gv
    v = now.v + (xv + dt * vv) * gx + vv * gv
    return Belief(x, v, now.p)
