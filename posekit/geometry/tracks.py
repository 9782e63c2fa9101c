"""`Track`: the points of one instance over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses

Float = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One instance in the frames in which it was found.

    Args:
        id: of the instance, as in ``Poses.ids``.
        frames: (T,) index of each frame, increasing; frames in which it was not found are left out.
        times: (T,) seconds, increasing; of any start.
        poses: (T, K) NumPy arrays: one instance for each frame.

    Raises:
        ValueError: lengths differ, or frames or times do not increase.
    """

    id: int
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    poses: Poses

    def __post_init__(self) -> None:
        lengths = {"frames": len(self.frames), "times": len(self.times), "poses": len(self.poses)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"track {self.id}: expected as many frames as times and poses; got {lengths}")
        for name, values in (("frames", self.frames), ("times", self.times)):
            bad = np.flatnonzero(~(np.diff(values) > 0))
            if bad.size:
                n = int(bad[0])
                raise ValueError(
                    f"track {self.id}: {name} must increase; number {n} is {values[n]} and number {n + 1} is "
                    f"{values[n + 1]}"
                )

    def __len__(self) -> int:
        return len(self.frames)


def tracks_of(frames: Sequence[Poses], times: Sequence[float] | NDArray[np.floating]) -> list[Track]:
    """The tracks of a clip, ordered by id.

    Args:
        frames: for each frame `Poses` with ``ids``, NumPy arrays; an id occurs once in a frame.
        times: seconds of each frame.

    Raises:
        ValueError: a frame with instances has no ids, or an id twice; or the lengths differ.
    """
    if len(frames) != len(times):
        raise ValueError(f"expected one time for each frame; got {len(frames)} frames and {len(times)} times")
    numbered = [(number, poses) for number, poses in enumerate(frames) if len(poses)]
    for number, poses in numbered:
        if poses.ids is None:
            raise ValueError(f"frame {number}: instances have no ids; track them first")
        if len(np.unique(poses.ids)) < len(poses):
            raise ValueError(f"frame {number}: an id occurs twice in {np.asarray(poses.ids).tolist()}")
    if not numbered:
        return []
    every = Poses.concatenate([poses for _, poses in numbered])
    where = np.repeat([number for number, _ in numbered], [len(poses) for _, poses in numbered])
    clock = np.asarray(times, np.float64)
    assert every.ids is not None
    found = []
    for one in np.unique(every.ids):
        rows = np.flatnonzero(every.ids == one)
        found.append(Track(int(one), where[rows], clock[where[rows]], every[rows]))
    return found


def frames_of(tracks: Sequence[Track], count: int, points: int) -> list[Poses]:
    """The poses of each frame of a clip, the inverse of `tracks_of`; instances are ordered by id.

    Args:
        tracks: with distinct ids.
        count: number of frames.
        points: number of points, for frames without instances.
    """
    found: list[list[Poses]] = [[] for _ in range(count)]
    for track in sorted(tracks, key=lambda track: track.id):
        for number, frame in enumerate(track.frames):
            found[int(frame)].append(track.poses[number])
    return [Poses.concatenate(parts) if parts else Poses.empty(points) for parts in found]


def held(values: Float, known: NDArray[np.bool_]) -> tuple[Float, NDArray[np.bool_]]:
    """Values where what is missing holds its last value.

    Args:
        values: (B, T, K, C) along time.
        known: (B, T, K) bool.

    Returns:
        (B, T, K, C), 0 before the first known value; and (B, T, K) bool, whether there was one.
    """
    row = np.arange(values.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(known, row, -1), 1)
    there = last >= 0
    return np.where(there[..., None], np.take_along_axis(values, np.maximum(last, 0)[..., None], 1), 0.0), there
