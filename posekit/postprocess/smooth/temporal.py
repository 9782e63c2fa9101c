"""A temporal network as a filter over time: live with a look-ahead, or on finished tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, SkipValidation
from pydantic.dataclasses import dataclass

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track, held
from posekit.postprocess.smooth.causal import Causal, CausalStream
from posekit.postprocess.smooth.gate import Reading
from posekit.postprocess.smooth.offline import Offline, Whole
from posekit.postprocess.smooth.rows import State

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

USUAL_STEP = 0.04
"""Seconds between frames where none is known yet."""
LATE = 0.1
"""Frames by which a look-ahead may exceed the accepted delay, since times are rounded."""
MOST_DELAY = 100.0
"""Delay, ms, up to which look-aheads are used live: longer ones come later and are hardly steadier."""
WINDOWS = 64
"""Windows of a finished track that are run at once."""


class Network(Protocol):
    """A temporal network, such as `posekit.engines.temporal.OnnxTemporal`."""

    @property
    def window(self) -> int:
        """W, frames that an output depends on, up to the newest."""
        ...

    @property
    def ahead(self) -> Sequence[int]:
        """A look-aheads, increasing: by how many frames what is shown lies behind the newest frame."""
        ...

    @property
    def points(self) -> int:
        """K, number of points."""
        ...

    @property
    def lifts(self) -> bool:
        """Whether it was trained on depths."""
        ...

    def __call__(self, points: Float, score: Float, step: Float) -> Float:
        """(B, T, K, 3) in object sizes, (B, T, K) and (B, T) seconds to (B, T - W + 1, A, K, 4)."""
        ...


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class _Learned:
    """Settings that both filters share."""

    network: SkipValidation[Any]
    "the temporal network"
    lift: bool = False
    "also give the depth of each point about the root, in pixels, away from the camera"
    outlier: float | None = Field(default=None, gt=0)
    "as in `Handling`; unset: the network decides for itself what an outlier is"

    def __post_init__(self) -> None:
        if self.lift and not self.network.lifts:
            raise ValueError(
                f"{self.network} gives no depths: leave out lift, or train one that does, with posekit train temporal"
            )

    def check_points(self, points: int) -> None:
        """Compare the number of points with that of the network.

        Raises:
            ValueError: they differ.
        """
        if points != self.network.points:
            raise ValueError(
                f"{self.network} smooths {self.network.points} points, and the poses have {points}: train one on "
                "tracks of these points with posekit train temporal"
            )

    def lifted(self, poses: Poses) -> Poses:
        """The poses with a place for the depth, if it is asked for."""
        return replace(poses, depth=np.zeros_like(poses.score)) if self.lift else poses

    def windows(self, z: Float, score: Float, step: Float, size: Float) -> Float:
        """What the network makes of windows.

        Args:
            z: (N, W, K, C) x, y and, where known, depth; pixels.
            score: (N, W, K); 0: missing.
            step: (N, W) seconds since the frame before; 0: not known.
            size: (N,) of the object, pixels.

        Returns:
            (N, A, K, C) pixels.
        """
        known = score > 0
        place, there = held(z, known)
        count = np.maximum(there[:, -1].sum(-1), 1)[:, None]
        origin = place[:, -1].sum(1) / count
        origin[:, 2:] = 0.0
        points = np.zeros((*z.shape[:3], 3))
        points[..., : z.shape[-1]] = np.where(
            there[..., None], (place - origin[:, None, None]) / size[:, None, None, None], 0.0
        )
        usual = usual_step(step)
        found = self.network(points, score, np.where(step > 0, step, usual[:, None]))[:, 0]
        if self.lift:
            found = found[..., [0, 1, 3]]
        return np.asarray(found[..., : z.shape[-1]] * size[:, None, None, None] + origin[:, None, None])


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Temporal(_Learned, Causal):
    """A temporal network on a stream of frames: each frame shows where the points were a few frames ago.

    Of the look-aheads that the network was trained for, the largest is taken that fits into ``delay`` and into 100 ms,
    at the usual time between the frames of the instance.
    """

    delay: float = Field(default=0.0, ge=0)
    "how far the shown points may lie in the past, ms"
    kind: Literal["temporal"] = "temporal"

    def stream(self, points: int) -> CausalStream:
        """A fresh stream for poses of so many points.

        Raises:
            ValueError: the network is for another number of points.
        """
        self.check_points(points)
        return _Lifting(self, points) if self.lift else super().stream(points)

    def fresh(self, count: int, points: int, channels: int) -> State:
        """The last frames, the newest last, and the number of frames since the instance began."""
        w = self.network.window
        return {
            "z": np.zeros((count, w, points, channels)),
            "given": np.zeros((count, w, points)),
            "step": np.zeros((count, w)),
            "age": np.zeros(count, np.int64),
        }

    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """Put the frame behind the others, and run the network on them."""
        given = np.where(reading.used, reading.score, 0.0)
        past = np.where((reading.reset[:, None] | reading.restart)[:, None], 0.0, state["given"][:, 1:])
        before = np.where(reading.reset[:, None], 0.0, state["step"][:, 1:])
        new = {
            **state,
            "z": np.concatenate([state["z"][:, 1:], reading.z[:, None]], 1),
            "given": np.concatenate([past, given[:, None]], 1),
            "step": np.concatenate([before, reading.dt[:, None]], 1),
            "age": np.where(reading.reset, 0, state["age"] + 1),
        }
        found = self.windows(new["z"], new["given"], new["step"], reading.size)
        frames = min(self.delay, MOST_DELAY) / 1000 / usual_step(new["step"]) + LATE
        ahead = np.asarray(self.network.ahead)
        fits = (ahead <= frames[:, None]) & (ahead <= new["age"][:, None])
        chosen = np.maximum(fits.sum(-1) - 1, 0)
        return new, found[np.arange(len(found)), chosen]


class _Lifting(CausalStream):
    """A stream whose poses get a depth."""

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Smooth and lift the next frame."""
        assert isinstance(self._filter, Temporal)
        return super().__call__(self._filter.lifted(poses), time)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class TemporalOffline(_Learned, Offline):
    """A temporal network on finished tracks: its largest look-ahead, moved back, so that there is no lag."""

    kind: Literal["temporal-offline"] = "temporal-offline"

    def track(self, track: Track) -> Track:
        """The smoothed track.

        Raises:
            ValueError: the network is for another number of points.
        """
        self.check_points(track.poses.xy.shape[1])
        return super().track(replace(track, poses=self.lifted(track.poses)))

    def estimate(self, found: Whole) -> Float:
        """Run the network on the window around each frame; what lies beyond a jump counts as missing."""
        w, ahead = self.network.window, self.network.ahead[-1]
        score = np.concatenate([reading.score for reading in found.readings]) * found.used
        size = np.concatenate([reading.size for reading in found.readings])
        z = np.where(found.used[..., None], found.z, 0.0)
        step = np.concatenate([[0.0], np.diff(found.times)])
        out = np.empty_like(z)
        for first in range(0, len(z), WINDOWS):
            shown = np.arange(first, min(first + WINDOWS, len(z)))
            rows = shown[:, None] + np.arange(ahead + 1 - w, ahead + 1)
            inside = (rows >= 0) & (rows < len(z))
            rows = np.clip(rows, 0, len(z) - 1)
            same = inside[..., None] & (found.part[rows] == found.part[shown][:, None])
            done = self.windows(z[rows], score[rows] * same, step[rows] * inside, size[shown])
            out[shown] = done[:, -1]
        return out


def usual_step(step: Float) -> Float:
    """(N,) median of the known steps of (N, W), seconds."""
    some = step > 0
    ordered = np.sort(np.where(some, step, np.inf), axis=-1)
    at = np.maximum(some.sum(-1) - 1, 0) // 2
    return np.asarray(np.where(some.any(-1), ordered[np.arange(len(step)), at], USUAL_STEP))
