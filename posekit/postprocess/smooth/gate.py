"""Which points of a frame a filter may use: missing points, outliers, jumps, new instances, and the object's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import around, extent, usable
from posekit.geometry.keypoints import Poses
from posekit.postprocess.smooth.handling import Handling
from posekit.postprocess.smooth.rows import State

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

ROUNDING = 1e-6
"""Seconds by which times may be rounded."""
SIZE_SECONDS = 0.5
"""Time constant with which the object's size is smoothed."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A frame as a filter sees it; every number in it is finite.

    Args:
        z: (N, K, C) x, y and, where known, depth; pixels; 0 where there is none.
        used: (N, K) bool: a measurement that counts.
        restart: (N, K) bool: the state of the point starts anew with this measurement, which is used.
        reset: (N,) bool: the whole instance starts anew.
        dt: (N,) seconds since the last frame of the instance; 0 for one that starts anew.
        since: (N, K) seconds since the point's last measurement that was used; infinite if there was none.
        size: (N,) of the object, pixels.
        score: (N, K) in (0, 1]; 1 where a point is not used.
        spread: (N, K, 2) standard deviation that the model gives, pixels; 0 where it gives none.
    """

    z: Float
    used: Bool
    restart: Bool
    reset: Bool
    dt: Float
    since: Float
    size: Float
    score: Float
    spread: Float


def fresh_gate(count: int, points: int) -> State:
    """State of ``count`` new instances."""
    return {
        "time": np.zeros(count),
        "size": np.zeros(count),
        "place": np.zeros((count, points, 2)),
        "seen": np.full((count, points), -np.inf),
        "pending": np.zeros((count, points, 2)),
        "rejected": np.zeros((count, points), np.int64),
    }


def read(poses: Poses, time: float, state: State, known: Bool, handling: Handling) -> tuple[Reading, State]:
    """Decide which points of a frame count.

    Args:
        poses: (N, K) of one frame, NumPy arrays.
        time: seconds.
        state: of `fresh_gate`, or as returned for the last frame.
        known: (N,) bool: instances that have a state.
        handling: the settings.

    Returns:
        The reading and the new state.
    """
    xy, score = poses.xy.astype(np.float64), poses.score.astype(np.float64)
    seen = np.isfinite(xy).all(-1) & np.isfinite(score) & (score > handling.min_score)
    xy = np.where(seen[..., None], xy, 0.0)
    size = _raw_size(poses, xy, seen)
    moved = np.linalg.norm(xy - state["place"], axis=-1)
    new = ~known | (time - state["time"] > handling.gap + ROUNDING)
    last = state["size"]
    size = np.where(size > 0, size, np.where(new, 0.0, last))
    passed = np.where(new, 0.0, time - state["time"])
    blend = np.where(new | (last == 0), 1.0, -np.expm1(-passed / SIZE_SECONDS))
    size = last + blend * (size - last)
    sized = size > 0
    size = np.where(sized, size, 1.0)
    moved = np.where(sized[:, None], moved / size[:, None], 0.0)
    reset = new | _jumped(moved, seen & (state["seen"] == state["time"][:, None]), handling.jump)
    dt = np.where(reset, 0.0, time - state["time"])
    since = np.where(reset[:, None], np.inf, time - state["seen"])
    used, restart, rejected = _outliers(xy, moved, seen, since, dt, size, state, handling)
    kept = {
        "time": np.full(len(poses), time),
        "size": np.where(sized, size, 0.0),
        "place": np.where(used[..., None], xy, state["place"]),
        "seen": np.where(used, time, np.where(reset[:, None], -np.inf, state["seen"])),
        "pending": np.where(seen[..., None], xy, state["pending"]),
        "rejected": rejected,
    }
    z = xy if poses.depth is None else np.concatenate([xy, _finite(poses.depth)[..., None]], -1)
    reading = Reading(
        z=np.where(used[..., None], z, 0.0),
        used=used,
        restart=restart,
        reset=reset,
        dt=dt,
        since=since,
        size=size,
        score=np.where(used, np.minimum(score, 1.0), 1.0),
        spread=np.zeros_like(xy) if poses.spread is None else np.abs(_finite(poses.spread)),
    )
    return reading, kept


def _finite(values: NDArray[Any]) -> Float:
    return np.asarray(np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0))


def _raw_size(poses: Poses, xy: Float, seen: Bool) -> Float:
    """(N,) mean of width and height of the box, else of the box around the points; 0 where unknown."""
    size = np.where(seen.any(-1), extent(around(xy, seen)).mean(-1), 0.0)
    if poses.boxes is None:
        return np.asarray(size)
    boxes = poses.boxes.astype(np.float64)
    good = usable(boxes)
    return np.asarray(np.where(good, extent(np.where(good[:, None], boxes, 0.0)).mean(-1), size))


def _jumped(moved: Float, both: Bool, limit: float | None) -> Bool:
    """(N,) whether the median point of an instance moved too far."""
    if limit is None:
        return np.zeros(len(moved), bool)
    count = both.sum(-1)
    ordered = np.sort(np.where(both, moved, np.inf), axis=-1)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=-1)[:, 0]
    return np.asarray((count > 0) & (middle > limit))


def _outliers(
    xy: Float, moved: Float, seen: Bool, since: Float, dt: Float, size: Float, state: State, handling: Handling
) -> tuple[Bool, Bool, NDArray[np.int64]]:
    """Measurements that are used, those that start anew, and how often in a row each point was rejected."""
    first = seen & (since > handling.gap + ROUNDING)
    if handling.outlier is None:
        return seen, first, np.zeros(seen.shape, np.int64)
    frames = np.where(np.isfinite(since) & (dt > 0)[:, None], since / np.where(dt > 0, dt, 1.0)[:, None], 1.0)
    # A point that was missing may have moved further; for one that was rejected, patience decides.
    allowed = np.where(state["rejected"] > 0, 1.0, np.maximum(frames, 1.0))
    far = seen & ~first & (moved > handling.outlier * allowed)
    stays = np.linalg.norm(xy - state["pending"], axis=-1) <= handling.outlier * size[:, None]
    rejected = np.where(far, np.where(stays, state["rejected"], 0) + 1, np.where(seen, 0, state["rejected"]))
    believed = far & (rejected > handling.patience)
    used = seen & (~far | believed)
    return used, first | believed, np.where(believed | first, 0, rejected)
