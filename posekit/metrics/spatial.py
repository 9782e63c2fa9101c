"""Errors of 3-D points: MPJPE, N-MPJPE (after the best scale), P-MPJPE (after Procrustes alignment)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]


def mpjpe(xyz: Float, truth: Float, root: int | None = None) -> Float:
    """MPJPE: mean distance of an instance's 3-D points.

    Args:
        xyz: (..., K, 3) predictions, usually millimetres.
        truth: (..., K, 3) in the same frame.
        root: index of the point that is moved to the origin in both first; ``None``: no alignment.

    Returns:
        (...) in the unit of the points.

    Raises:
        ValueError: the shapes differ.
    """
    xyz, truth = _pair(xyz, truth)
    if root is not None:
        xyz, truth = xyz - xyz[..., [root], :], truth - truth[..., [root], :]
    return np.asarray(np.linalg.norm(xyz - truth, axis=-1).mean(-1))


def n_mpjpe(xyz: Float, truth: Float) -> Float:
    """`mpjpe` after scaling the prediction by the best factor, ``sum(p g) / sum(p p)``; 1 for a prediction of zeros.

    Args:
        xyz: (..., K, 3).
        truth: (..., K, 3).
    """
    xyz, truth = _pair(xyz, truth)
    squared = (xyz * xyz).sum((-2, -1), keepdims=True)
    scale = np.where(squared > 0, (xyz * truth).sum((-2, -1), keepdims=True) / np.where(squared > 0, squared, 1), 1)
    return mpjpe(xyz * scale, truth)


def p_mpjpe(xyz: Float, truth: Float) -> Float:
    """`mpjpe` after the best shift, rotation and scale of the prediction (Procrustes), without reflection.

    Args:
        xyz: (..., K, 3).
        truth: (..., K, 3).

    Source: Umeyama 1991, equations 40 to 42.
    """
    xyz, truth = _pair(xyz, truth)
    middle = truth.mean(-2, keepdims=True)
    a, b = xyz - xyz.mean(-2, keepdims=True), truth - middle
    u, values, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    # A negative determinant would be a reflection: flip the axis with the smallest singular value.
    sign = np.ones_like(values)
    sign[..., -1] = np.where(np.linalg.det(u @ vt) < 0, -1, 1)
    rotation = (u * sign[..., None, :]) @ vt
    spread = (a * a).sum((-2, -1))
    scale = np.where(spread > 0, (values * sign).sum(-1) / np.where(spread > 0, spread, 1), 1)
    return mpjpe(scale[..., None, None] * a @ np.swapaxes(rotation, -1, -2) + middle, truth)


def _pair(xyz: Float, truth: Float) -> tuple[Float, Float]:
    """Both in float64; checks their shapes."""
    if xyz.shape != truth.shape or xyz.shape[-1:] != (3,):
        raise ValueError(f"predictions and truth need the same shape (..., K, 3); got {xyz.shape} and {truth.shape}")
    return xyz.astype(np.float64), truth.astype(np.float64)
