"""The stream of a causal filter, and a causal filter on a finished track: the same code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.gate import ROUNDING, Reading, fresh_gate, read
from posekit.postprocess.smooth.handling import Handling
from posekit.postprocess.smooth.rows import Rows, State

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


class Causal(Handling, ABC):
    """A causal filter: its settings, and what it does with the numbers of a frame."""

    @property
    def causal(self) -> bool:
        """It needs no later frames."""
        return True

    @abstractmethod
    def fresh(self, count: int, points: int, channels: int) -> State:
        """State of ``count`` new instances: arrays (count, ...) of any finite values."""

    @abstractmethod
    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """The new state and the estimates (N, K, C), finite also where a point has not been seen yet."""

    def stream(self, points: int) -> CausalStream:
        """A fresh stream for poses of so many points."""
        return CausalStream(self, points)

    def track(self, track: Track) -> Track:
        """The smoothed track: what the stream gives, frame by frame."""
        if not len(track):
            return track
        run = self.stream(track.poses.xy.shape[1])
        poses = replace(track.poses, ids=np.full(len(track), track.id))
        frames = [run(poses[number], float(time)) for number, time in enumerate(track.times)]
        return replace(track, poses=replace(Poses.concatenate(frames), ids=track.poses.ids))


class CausalStream:
    """A causal filter at work.

    Args:
        filter: which one.
        points: K.
    """

    def __init__(self, filter: Causal, points: int) -> None:
        self._filter, self._points = filter, points
        self._rows = Rows()
        self._time = -np.inf
        self._channels = 0

    def __len__(self) -> int:
        """Number of instances whose state is kept."""
        return len(self._rows)

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Smooth the next frame; see `posekit.postprocess.smooth.base.Stream`.

        Raises:
            ValueError: the time is not larger than the last one, or the poses have no ids, an id twice, another number
                of points, or depths in some frames only.
        """
        ids = self._checked(poses, time)
        self._time = time
        alive = time - self._rows.state["time"] <= self._filter.gap + ROUNDING if len(self._rows) else np.zeros(0, bool)
        if not len(poses):
            self._rows.put(ids, {name: array[:0] for name, array in self._rows.state.items()}, alive)
            return replace(poses, filled=np.zeros(poses.score.shape, bool))
        n, k, c = len(poses), self._points, self._channels
        shown = {"shown": np.zeros((n, k, c)), "score": np.zeros((n, k))}
        state, known = self._rows.take(ids, {**fresh_gate(n, k), **shown, **self._filter.fresh(n, k, c)})
        reading, gate = read(poses, time, state, known, self._filter)
        state, estimate = self._filter.step({**state, **gate}, reading)
        done, last = shown_poses(poses, reading, estimate, state, self._filter.fill)
        self._rows.put(ids, {**state, **last}, alive)
        return done

    def _checked(self, poses: Poses, time: float) -> NDArray[np.int64]:
        if not time > self._time:
            raise ValueError(f"frames must come in order of time: {time} s after {self._time} s; leave the frame out")
        if not len(poses):
            return np.zeros(0, np.int64)
        if poses.ids is None:
            raise ValueError("instances have no ids; track them before smoothing")
        if poses.xy.ndim != 3 or poses.xy.shape[1:] != (self._points, 2):
            raise ValueError(f"expected poses of one frame, (N, {self._points}, 2); got {tuple(poses.xy.shape)}")
        ids = np.asarray(poses.ids, np.int64)
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"an id occurs twice in one frame: {ids.tolist()}")
        channels = 2 if poses.depth is None else 3
        if self._channels not in (0, channels):
            raise ValueError(f"at {time} s: depths must come in every frame or in none")
        self._channels = channels
        return ids


def shown_poses(poses: Poses, reading: Reading, estimate: Float, state: State, fill: float) -> tuple[Poses, State]:
    """The smoothed poses of a frame.

    Args:
        poses: as they came.
        reading: of them.
        estimate: (N, K, C) of the filter.
        state: with ``seen``, ``shown``, the last locations, and ``score``, the last scores used.
        fill: how long missing points are filled in, seconds.

    Returns:
        The poses, and the new ``shown`` and ``score``.
    """
    started = np.isfinite(state["seen"])
    missing = state["time"][:, None] - state["seen"]
    filled = started & ~reading.used & (missing <= fill + ROUNDING)
    now = (reading.used | filled)[..., None]
    where = np.where(now, estimate, np.where(started[..., None], state["shown"], _unseen(poses, estimate, started)))
    score = np.where(reading.used, poses.score, state["score"])
    fading = np.where(filled, np.maximum(1 - missing / (fill + ROUNDING), 0.0), 0.0)
    before = np.zeros_like(filled) if poses.filled is None else poses.filled & reading.used
    done = replace(
        poses,
        xy=where[..., :2].astype(poses.xy.dtype),
        score=np.where(reading.used, score, score * fading).astype(poses.score.dtype),
        depth=None if poses.depth is None else where[..., 2].astype(poses.depth.dtype),
        filled=filled | before,
    )
    return done, {"shown": where, "score": np.where(started, score, 0.0)}


def _unseen(poses: Poses, estimate: Float, started: Bool) -> Float:
    """Locations of points that were never seen: as they came, or, if that is no number, amid the seen ones."""
    came = poses.xy if poses.depth is None else np.concatenate([poses.xy, poses.depth[..., None]], -1)
    count = np.maximum(started.sum(-1), 1)[:, None, None]
    amid = np.where(started[..., None], estimate, 0.0).sum(-2, keepdims=True) / count
    return np.asarray(np.where(np.isfinite(came), came, amid))
