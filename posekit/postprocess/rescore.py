"""Instance scores from the points: from their own scores, or from a heatmap read at their locations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Poses

Float = NDArray[np.floating]


def rescore_by_points(poses: Poses, threshold: float = 0.2) -> Poses:
    """Multiply each instance score by the mean score of its points above a threshold.

    Args:
        poses: (..., N, K); their instance scores are those of the boxes.
        threshold: points whose score does not exceed it are left out of the mean.

    Returns:
        The poses in the order given, NumPy arrays; the instance score is 0 where no point exceeds the threshold.

    Source: the evaluation of SimpleBaseline, arXiv:1804.06208, and HRNet, arXiv:1902.09212.
    """
    poses = poses.each(np.asarray)
    clear = poses.score > threshold
    total = np.where(clear, poses.score, 0.0).sum(-1)
    mean = total / np.maximum(clear.sum(-1), 1)
    return replace(poses, instance_score=_like(poses.instance_score * mean, poses))


def rescore_by_heatmap(poses: Poses, heatmap: ArrayLike, grid: Grid, *, times: bool = False) -> Poses:
    """Score regressed points by a heatmap read at their locations, and instances by the mean over their points.

    Args:
        poses: (..., N, K), in the frame of ``grid``'s image.
        heatmap: (..., K, H, W); values are clamped to [0, 1].
        grid: where the cells of the heatmap lie.
        times: multiply the values read by the previous instance score, as DEKR does with the score of the centre.

    Returns:
        The poses in the order given with new point and instance scores, NumPy arrays; an instance score is the mean
        over all K points.

    Raises:
        ValueError: the heatmap does not fit the poses or the grid.

    Source: DEKR, arXiv:2104.02300, its published code. Differs: read with bilinear interpolation, not at the nearest
    cell.
    """
    poses = poses.each(np.asarray)
    value = read(heatmap, poses.xy, grid).clip(0, 1)
    if times:
        value = value * poses.instance_score[..., None]
    value = _like(value, poses)
    return replace(poses, score=value, instance_score=value.mean(-1))


def read(heatmap: ArrayLike, xy: ArrayLike, grid: Grid) -> Float:
    """Read a heatmap at the locations of points with bilinear interpolation.

    Args:
        heatmap: (..., K, H, W).
        xy: (..., N, K, 2) image pixels.
        grid: where the cells lie.

    Returns:
        (..., N, K). Between the outermost cell centres and the edge of the image the border value; 0 for points outside
        the image and points that are not finite.

    Raises:
        ValueError: the heatmap does not fit the points or the grid.
    """
    heatmap, xy = np.asarray(heatmap), np.asarray(xy, dtype=np.float64)
    wanted = (*xy.shape[:-3], *xy.shape[-2:-1], *grid.shape)
    if xy.ndim < 3 or xy.shape[-1] != 2 or heatmap.shape != wanted:
        raise ValueError(
            f"points (..., N, K, 2) {xy.shape} on a grid of {grid.height}x{grid.width} cells need a heatmap "
            f"{wanted}, got {heatmap.shape}"
        )
    size = np.array([grid.image_width, grid.image_height])
    inside: NDArray[np.bool_] = np.all((xy >= 0) & (xy <= size), -1)
    last = np.array([grid.width - 1, grid.height - 1])
    cells = grid.cells(np.where(inside[..., None], xy, 0.0)).clip(0, last)
    low = np.floor(cells).astype(np.intp)
    part = cells - low
    flat = heatmap.reshape(*heatmap.shape[:-2], -1)
    value = np.zeros(xy.shape[:-1])
    for right in (0, 1):
        for below in (0, 1):
            step = np.array((right, below))
            corner = np.minimum(low + step, last)
            share = np.abs(1 - step - part).prod(-1)
            value += share * _at(flat, corner[..., 1] * grid.width + corner[..., 0])
    return np.asarray(np.where(inside, value, 0.0))


def _at(flat: NDArray[Any], index: NDArray[np.intp]) -> Float:
    """(..., N, K) values of ``flat`` (..., K, cells) at ``index`` (..., N, K)."""
    return np.take_along_axis(flat, index.swapaxes(-1, -2), axis=-1).swapaxes(-1, -2)


def _like(value: Float, poses: Poses) -> Float:
    """``value`` in the scores' dtype, or in float if the scores are integers."""
    return value.astype(np.result_type(poses.score, poses.instance_score, np.float32))
