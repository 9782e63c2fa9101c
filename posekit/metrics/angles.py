"""Angles at points and lengths of bones, from 2-D points, with their uncertainty. Pure functions on arrays.

What is computed from points that are missing is NaN. All angles are those in the image: of a body that turns away from
the image plane they are not the angles of the body.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.floating]
Index = NDArray[np.integer]


def located(xy: ArrayLike, score: ArrayLike | None = None, threshold: float = 0.0) -> NDArray[np.float64]:
    """Points with NaN where they are missing.

    Args:
        xy: (..., K, 2).
        score: (..., K); points whose score does not exceed ``threshold`` are missing; ``None``: those that are not
            finite are.
        threshold: score threshold.
    """
    points = np.asarray(xy, np.float64)
    there = np.asarray(np.isfinite(points).all(-1))
    if score is not None:
        there = there & (np.asarray(score) > threshold)
    return np.where(there[..., None], points, np.nan)


def angles(xy: Float, triples: ArrayLike, signed: bool = False) -> NDArray[np.float64]:
    """Angle at the second of three points, between the directions to the first and to the third, in degrees.

    Args:
        xy: (..., K, 2), NaN where missing.
        triples: (A, 3) indices of points.
        signed: from the first direction to the third, clockwise on the screen, in (-180, 180]; else its absolute value.

    Returns:
        (..., A) in [0, 180], or signed; NaN where a point is missing, or two of them coincide.

    >>> angles(np.array([[1.0, 0], [0, 0], [0, 2]]), [[0, 1, 2]]).tolist()
    [90.0]
    """
    u, v = _arms(xy, triples)
    cross = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    dot = (u * v).sum(-1)
    flat = (np.square(u).sum(-1) == 0) | (np.square(v).sum(-1) == 0)
    turn = np.where(flat, np.nan, np.degrees(np.arctan2(cross, dot)))
    # Opposite directions are 180 degrees, whatever the sign of a zero says.
    turn = np.where(turn == -180, 180.0, turn)
    return np.asarray(turn if signed else np.abs(turn))


def angle_spread(xy: Float, spread: Float, triples: ArrayLike) -> NDArray[np.float64]:
    """Standard deviation of the angles, in degrees, to first order.

    Holds where the spread is small against both arms; of angles near 0 or 180 degrees it is that of the signed one.

    Args:
        xy: (..., K, 2), NaN where missing.
        spread: (..., K, 2) standard deviations in the unit of ``xy``, independent between axes and points.
        triples: (A, 3) indices of points.

    Returns:
        (..., A); NaN where the angle is, or a spread is not known.
    """
    order = np.asarray(triples)
    u, v = _arms(xy, order)
    to_first, to_third = _gradient(u), _gradient(v)
    gradient = np.stack([-to_first, to_first - to_third, to_third], -2)
    variance = np.square(gradient * np.asarray(spread, np.float64)[..., order, :]).sum((-2, -1))
    return np.asarray(np.degrees(np.sqrt(variance)))


def lengths(xy: Float, pairs: ArrayLike) -> NDArray[np.float64]:
    """Distances between pairs of points, in the unit of ``xy``.

    Args:
        xy: (..., K, 2), NaN where missing.
        pairs: (L, 2) indices of points.

    Returns:
        (..., L); NaN where a point is missing.
    """
    return np.asarray(np.linalg.norm(_bones(xy, pairs), axis=-1))


def length_spread(xy: Float, spread: Float, pairs: ArrayLike) -> NDArray[np.float64]:
    """Standard deviation of the lengths, to first order; see `angle_spread`.

    Args:
        xy: (..., K, 2), NaN where missing.
        spread: (..., K, 2) standard deviations in the unit of ``xy``, independent between axes and points.
        pairs: (L, 2) indices of points.

    Returns:
        (..., L); NaN where a point is missing, both coincide, or a spread is not known.
    """
    bone = _bones(xy, pairs)
    length = np.linalg.norm(bone, axis=-1, keepdims=True)
    direction = bone / np.where(length > 0, length, np.nan)
    both = np.square(np.asarray(spread, np.float64)[..., np.asarray(pairs), :]).sum(-2)
    return np.asarray(np.sqrt((np.square(direction) * both).sum(-1)))


def unwrapped(series: Float) -> NDArray[np.float64]:
    """Signed angles along time without jumps by 360 degrees; NaN stays and is bridged.

    Args:
        series: (T, ...) degrees.

    >>> unwrapped(np.array([170.0, np.nan, -170.0])).tolist()
    [170.0, nan, 190.0]
    """
    values = np.array(series, np.float64)
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    known = np.isfinite(flat)
    if not known.any():
        return values
    # The number of the last known frame, for every frame; frames before the first take the first.
    last = np.maximum.accumulate(np.where(known, np.arange(len(flat))[:, None], -1), axis=0)
    last = np.where(last < 0, known.argmax(0)[None], last)
    bridged = np.where(known.any(0), np.take_along_axis(flat, last, 0), 0.0)
    whole = np.unwrap(bridged, axis=0, period=360.0)
    return np.where(known, whole, np.nan).reshape(values.shape)


def _arms(xy: Float, triples: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(..., A, 2) from the second point to the first, and to the third."""
    points = np.asarray(xy, np.float64)[..., _checked(xy, triples, 3), :]
    return points[..., 0, :] - points[..., 1, :], points[..., 2, :] - points[..., 1, :]


def _bones(xy: Float, pairs: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(xy, np.float64)[..., _checked(xy, pairs, 2), :]
    return np.asarray(points[..., 1, :] - points[..., 0, :])


def _checked(xy: Float, indices: ArrayLike, size: int) -> Index:
    """Indices (A, size) of points that there are."""
    order = np.asarray(indices, np.int64).reshape(-1, size) if np.size(indices) == 0 else np.asarray(indices)
    shape = np.shape(xy)
    if len(shape) < 2 or shape[-1] != 2:
        raise ValueError(f"expected points (..., K, 2); got {shape}")
    if order.ndim != 2 or order.shape[1] != size or (order.size and not 0 <= order.min() <= order.max() < shape[-2]):
        raise ValueError(f"expected indices (A, {size}) of {shape[-2]} points; got {order.tolist()}")
    return order


def _gradient(arm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) derivative of the direction of an arm, radians; NaN without length."""
    square = np.square(arm).sum(-1, keepdims=True)
    return np.stack([-arm[..., 1], arm[..., 0]], -1) / np.where(square > 0, square, np.nan)
