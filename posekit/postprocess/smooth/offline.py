"""What offline filters share: the readings of a whole track, and its poses after smoothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.base import Stream
from posekit.postprocess.smooth.gate import ROUNDING, Reading, fresh_gate, read
from posekit.postprocess.smooth.handling import Handling

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A track as an offline filter sees it.

    Args:
        readings: of each frame.
        z: (T, K, C) measurements, 0 where there is none.
        used: (T, K) bool.
        part: (T, K) number of the part of the track that a point belongs to; a filter does not reach across parts.
        times: (T,) seconds.
    """

    readings: list[Reading]
    z: Float
    used: Bool
    part: NDArray[np.int64]
    times: Float


def whole(track: Track, handling: Handling) -> Whole:
    """Read all frames of a track; a jump that turns out to be real is read from its first frame."""
    poses, state, known = track.poses, fresh_gate(1, track.poses.xy.shape[1]), np.zeros(1, bool)
    readings, counts = [], []
    for number, time in enumerate(track.times):
        before = state["rejected"]
        reading, state = read(poses[number], float(time), state, known, handling)
        counts.append(np.where(reading.restart, before, 0)[0])
        readings.append(reading)
        known = np.ones(1, bool)
    z = np.concatenate([r.z for r in readings])
    used = np.concatenate([r.used for r in readings])
    starts = np.concatenate([r.restart | r.reset[:, None] for r in readings])
    return _with_jumps(Whole(readings, z, used, np.cumsum(starts, 0), track.times), track.poses, np.stack(counts))


def _with_jumps(found: Whole, poses: Poses, counts: NDArray[np.int64]) -> Whole:
    """Count the rejected measurements before a point started anew as the beginning of its new part."""
    z, used, part = found.z.copy(), found.used.copy(), found.part.copy()
    for frame, point in zip(*np.nonzero(counts), strict=True):
        first = frame - counts[frame, point]
        seen = np.isfinite(poses.xy[first:frame, point]).all(-1) & (poses.score[first:frame, point] > 0)
        rows = np.arange(first, frame)[seen & ~used[first:frame, point]]
        z[rows, point, :2], used[rows, point] = poses.xy[rows, point], True
        if poses.depth is not None:
            z[rows, point, 2] = poses.depth[rows, point]
        part[rows, point] = part[frame, point]
    return replace(found, z=z, used=used, part=part)


class Offline(Handling, ABC):
    """A filter that needs the whole track."""

    @property
    def causal(self) -> bool:
        """It needs later frames."""
        return False

    def stream(self, points: int) -> Stream:
        """There is none.

        Raises:
            ValueError: always.
        """
        name = getattr(self, "kind", type(self).__name__)
        raise ValueError(f"{name} needs the whole track and cannot run on a stream; take kalman, one-euro or ema")

    @abstractmethod
    def estimate(self, found: Whole) -> Float:
        """(T, K, C) smoothed locations."""

    def track(self, track: Track) -> Track:
        """The smoothed track; a gap between two measurements is filled in as a whole or not at all."""
        if not len(track):
            return track
        found = whole(track, self)
        return replace(track, poses=smoothed_poses(track.poses, found, self.estimate(found), self.fill))


def smoothed_poses(poses: Poses, found: Whole, estimate: Float, fill: float) -> Poses:
    """The poses of a track after offline smoothing.

    Args:
        poses: (T, K) as they came.
        found: the readings.
        estimate: (T, K, C).
        fill: longest gap that is filled in, seconds from the last measurement to the last missing frame.
    """
    before, after = neighbours(found)
    row = np.arange(len(estimate))[:, None]
    inside = (before >= 0) & (after < len(estimate))
    first, last = np.where(before >= 0, before, 0), np.where(inside, after, 0)
    column = np.arange(estimate.shape[1])
    apart = np.where(inside, found.times[np.maximum(last - 1, 0)] - found.times[first], np.inf)
    same = found.part[first, column] == found.part[last, column]
    filled = ~found.used & inside & same & (apart <= fill + ROUNDING)
    known = found.used | filled
    # What is neither measured nor filled in stays where the point was last, or will first be, seen.
    nearest = np.where(known, row, np.where(before >= 0, before, np.minimum(after, len(estimate) - 1)))
    ever = np.asarray(found.used.any(0))
    where = np.where(ever[:, None], estimate[nearest, column], _unseen(poses, estimate, known))
    share = np.where(filled, 1 - np.minimum(row - first, last - row) / np.maximum(last - first, 1), 0.0)
    score = np.where(found.used, poses.score, np.where(filled, poses.score[first, column] * share, 0.0))
    already = np.zeros_like(filled) if poses.filled is None else poses.filled & found.used
    return replace(
        poses,
        xy=where[..., :2].astype(poses.xy.dtype),
        score=score.astype(poses.score.dtype),
        depth=None if poses.depth is None else where[..., 2].astype(poses.depth.dtype),
        filled=filled | already,
    )


def neighbours(found: Whole) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(T, K) number of the last frame with a measurement, up to this one, or -1; and of the next, or T."""
    row = np.arange(len(found.used))[:, None]
    before = np.maximum.accumulate(np.where(found.used, row, -1), 0)
    after = np.minimum.accumulate(np.where(found.used, row, len(row))[::-1], 0)[::-1]
    return before, after


def _unseen(poses: Poses, estimate: Float, known: Bool) -> Float:
    """Locations of points that were never seen: as they came, or, if that is no number, amid the others."""
    came = poses.xy if poses.depth is None else np.concatenate([poses.xy, poses.depth[..., None]], -1)
    count = np.maximum(known.sum(-1), 1)[:, None, None]
    amid = np.where(known[..., None], estimate, 0.0).sum(-2, keepdims=True) / count
    return np.asarray(np.where(np.isfinite(came), came, amid))
