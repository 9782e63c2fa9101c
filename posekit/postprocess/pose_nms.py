"""Suppression of duplicate poses by the number of points that nearly coincide: DEKR's pose NMS.

Poses are processed in the order given, which should be that of the centre scores. Each forms a group with all poses
near it, and the pose with the highest rank of the group is kept, unless it was in an earlier group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.boxes import around, extent
from posekit.geometry.keypoints import Poses

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

POINTS = 17
"""K of the poses for which the published numbers of near points were chosen."""


def pose_nms(
    poses: Poses,
    *,
    share: float = 0.05,
    near_points: int | None = None,
    clear: ArrayLike | None = None,
    max_instances: int | None = 30,
) -> Poses:
    """Drop poses most of whose points nearly coincide with those of a better one, relative to the size of the pose.

    A pose is near another if more than ``near_points`` points are closer than ``share`` times the other's diagonal, so
    a small pose may be near a large one but not the large one near the small one.

    Args:
        poses: (N, K) of one image, in descending order of the centre scores.
        share: fraction of the diagonal of the box around a pose's points.
        near_points: number of points; unset: 8 of 17, or the same fraction of another number.
        clear: (N,) rank of the poses: the mean of the heatmaps at their points; ``None``: the mean of the points'
            scores.
        max_instances: largest number of poses, those with the highest rank; ``None`` for all.

    Returns:
        The poses kept, in the order in which they were chosen, or by rank where ``max_instances`` leaves some out;
        NumPy arrays.

    Raises:
        ValueError: the poses are not those of one image, or ``clear`` does not have one number a pose.

    Source: Geng et al. 2021, arXiv:2104.02300, its published code, which processes poses in the order of the centre
    heatmap's values. Differs: a pose is always near itself, even if all its points coincide.
    """
    poses, clear = _checked(poses, clear)
    finite = np.isfinite(poses.xy).all(-1)
    sides = extent(around(poses.xy.astype(np.float64), finite))
    reach = share * np.hypot(sides[..., 0], sides[..., 1])
    return _left(poses, _near(poses.xy, reach) > _count(near_points, 8, poses), clear, max_instances)


def fixed_pose_nms(
    poses: Poses,
    *,
    pixels: float = 10.0,
    near_points: int | None = None,
    clear: ArrayLike | None = None,
    max_instances: int | None = 30,
) -> Poses:
    """Drop poses most of whose points nearly coincide with those of a better one, whatever their size.

    Args:
        poses: as in `pose_nms`.
        pixels: points closer than this nearly coincide.
        near_points: poses with more near points than this are duplicates; unset: 10 of 17, or the same fraction of
            another number.
        clear: (N,) rank of the poses; ``None``: the first given is the best.
        max_instances: largest number of poses, the best; ``None`` for all.

    Returns:
        As `pose_nms`.

    Raises:
        ValueError: as `pose_nms`.

    Source: Sun et al. 2020, arXiv:2006.15480, its published code.
    """
    rank = -np.arange(len(poses), dtype=np.float64) if clear is None else clear
    poses, rank = _checked(poses, rank)
    reach = np.full(len(poses), pixels)
    return _left(poses, _near(poses.xy, reach) > _count(near_points, 10, poses), rank, max_instances)


def _near(xy: Float, reach: Float) -> NDArray[np.intp]:
    """(N, N) how many points of pose j lie closer than ``reach[i]`` to those of pose i."""
    apart = np.linalg.norm(xy[:, None].astype(np.float64) - xy[None], axis=-1)
    return np.asarray((apart < reach[:, None, None]).sum(-1))


def _count(near_points: int | None, of_17: int, poses: Poses) -> int:
    return round(of_17 * poses.xy.shape[-2] / POINTS) if near_points is None else near_points


def _left(poses: Poses, takes: Bool, clear: Float, max_instances: int | None) -> Poses:
    takes = takes | np.eye(len(clear), dtype=bool)
    taken = np.zeros(len(clear), bool)
    kept: list[int] = []
    for i in range(len(clear)):
        if taken[i]:
            continue
        cluster = np.flatnonzero(takes[i])
        best = int(cluster[clear[cluster].argmax()])
        if not taken[best]:
            kept.append(best)
        taken[cluster] = True
    keep = np.asarray(kept, dtype=np.intp)
    if max_instances is not None and len(keep) > max_instances:
        keep = keep[np.argsort(-clear[keep], kind="stable")[:max_instances]]
    return poses.each(lambda array: array[keep])


def _checked(poses: Poses, clear: ArrayLike | None) -> tuple[Poses, Float]:
    poses = poses.each(np.asarray)
    if poses.xy.ndim != 3 or poses.xy.shape[-1] != 2 or poses.score.shape != poses.xy.shape[:-1]:
        raise ValueError(
            f"poses are suppressed image by image: xy (N, K, 2) and score (N, K), got {poses.xy.shape} and "
            f"{poses.score.shape}; take one image of the batch"
        )
    rank = np.asarray(poses.score.mean(-1) if clear is None else clear, dtype=np.float64)
    if rank.shape != poses.xy.shape[:1]:
        raise ValueError(f"{len(poses)} poses need one number each in clear, ({len(poses)},); got {rank.shape}")
    return poses, rank
