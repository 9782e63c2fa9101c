"""A better instance score from what is known of the points: their own scores, or a heatmap read where they lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Poses

Float = NDArray[np.floating]


def rescore_by_points(poses: Poses, threshold: float = 0.2) -> Poses:
    """Multiply each instance score by the mean score of its clear points.

    Args:
        poses: (..., N, K); their instance scores are those of the boxes.
        threshold: points whose score does not exceed it are left out of the mean.

    Returns:
        The poses in the order given, NumPy arrays; the instance score is 0 where no point exceeds the threshold.

    Source: SimpleBaseline's and HRNet's evaluation, arXiv:1902.09212; methods 7.6.
    """
    poses = poses.each(np.asarray)
    clear = poses.score > threshold
    total = np.where(clear, poses.score, 0.0).sum(-1)
    mean = total / np.maximum(clear.sum(-1), 1)
    return replace(poses, instance_score=_like(poses.instance_score * mean, poses))


def rescore_by_heatmap(poses: Poses, heatmap: ArrayLike, grid: Grid, *, times: bool = False) -> Poses:
    """Score points that were regressed by what a heatmap says where they lie, and instances by the mean of that.

    Args:
        poses: (..., N, K), in the frame of ``grid``'s image.
        heatmap: (..., K, H, W), what is outside [0, 1] is clamped.
        grid: where the cells of the heatmap lie.
        times: multiply what was read by the instance score of before, as DEKR does with the score of a centre.

    Returns:
        The poses in the order given with new point and instance scores, NumPy arrays; an instance score is the mean
        over all K points.

    Raises:
        ValueError: the heatmap does not fit the poses or the grid.

    Source: DEKR, arXiv:2104.02300, its published code. Differs: read between the cells, not at the cell of a point.
    """
    poses = poses.each(np.asarray)
    value = read(heatmap, poses.xy, grid).clip(0, 1)
    if times:
        value = value * poses.instance_score[..., None]
    value = _like(value, poses)
    return replace(poses, score=value, instance_score=value.mean(-1))


def read(heatmap: ArrayLike, xy: ArrayLike, grid: Grid) -> Float:
    """Read a heatmap where points lie, linearly between the cells.

    Args:
        heatmap: (..., K, H, W).
        xy: (..., N, K, 2) image pixels.
        grid: where the cells lie.

    Returns:
        (..., N, K). Between the outermost centres of cells and the edge of the image the value of the outermost cells;
        0 for points outside the image and those that are not finite.

    Raises:
        ValueError: the heatmap does not fit the points or the grid.
    """
    heatmap, xy = np.asarray(heatmap), np.asarray(xy, dtype=np.float64)
    wanted = (*xy.shape[:-3], *xy.shape[-2:-1], *grid.shape)
    if xy.ndim < 3 or xy.shape[-1] != 2 or heatmap.shape != wanted:
        raise ValueError(
            f"points (..., N, K, 2) {xy.shape} on a grid of {grid.height}x{grid.width} cells want a heatmap "
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
    """(..., N, K) what ``flat`` (..., K, cells) holds at ``index`` (..., N, K)."""
    return np.take_along_axis(flat, index.swapaxes(-1, -2), axis=-1).swapaxes(-1, -2)


def _like(value: Float, poses: Poses) -> Float:
    """``value`` in the floating type of the scores, which may themselves be whole numbers."""
    return value.astype(np.result_type(poses.score, poses.instance_score, np.float32))
