"""Tracking and smoothing of the frames of a video, in a stream or with the complete clip known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from posekit.data.raw_frames import RawFrame
from posekit.data.video_results import VideoFrame
from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track, frames_of, tracks_of
from posekit.pipelines.threads import Clock
from posekit.postprocess.smooth.base import Smoother, Stream

TUNED_ON = 3000
"""Frames from the start of a clip that a causal filter is tuned on, at most; so memory does not grow with the clip."""


class Tracker(Protocol):
    """Gives the instances of a frame their ids."""

    def __call__(self, poses: Poses, time: float) -> Poses:
        """The tracked instances of the next frame, with ``ids``."""
        ...


@dataclass(frozen=True, eq=False)
class OverTime:
    """What is done with the poses of the frames, one after another.

    Args:
        track: makes a tracker that has seen nothing; ``None``: instances have no ids.
        smooth: makes a filter for tracks of the clip; of no tracks where they cannot be known, as from a camera.
            ``None``: points stay as they are found.

    Raises:
        ValueError: smoothing without tracking.
    """

    track: Callable[[], Tracker] | None = None
    smooth: Callable[[list[Track]], Smoother] | None = None

    def __post_init__(self) -> None:
        if self.smooth is not None and self.track is None:
            raise ValueError("smoothing needs ids: track as well")


def keep_ids() -> Tracker:
    """A tracker for poses that have their ids already."""
    return lambda poses, time: poses if poses.ids is not None else replace(poses, ids=np.zeros(len(poses), np.int64))


Step = Callable[[RawFrame], VideoFrame]
"""The final poses of the next frame."""


def step_of(over: OverTime, clip: Iterable[RawFrame] | None, points: int, clock: Clock) -> Step:
    """The work on each frame, from the first to the last.

    Args:
        over: what is done.
        clip: all frames, which may be read twice; ``None`` if they are not known yet, as those of a camera.
        points: number of points of the skeleton.
        clock: counts the time of tracking and smoothing.

    Raises:
        ValueError: a filter that needs the complete clip, and it is not known.
    """
    if over.track is None:
        return lambda raw: VideoFrame(raw.index, raw.time, raw.poses)
    tracked = _tracked(over.track(), clock)
    if over.smooth is None:
        return tracked
    if clip is None:
        smoother = over.smooth([])
        if not smoother.causal:
            raise ValueError(
                f"{type(smoother).__name__} looks at later frames, which a camera or stream does not have yet: choose "
                "another filter, such as one-euro"
            )
        return _streamed(tracked, smoother.stream(points), clock)
    smoother = over.smooth(_tracks(over.track(), islice(clip, TUNED_ON)))
    if smoother.causal:
        return _streamed(tracked, smoother.stream(points), clock)
    return _offline(over.track(), smoother, clip, points, clock)


def _tracked(tracker: Tracker, clock: Clock) -> Step:
    def step(raw: RawFrame) -> VideoFrame:
        with clock("track"):
            return VideoFrame(raw.index, raw.time, tracker(raw.poses, raw.time))

    return step


def _streamed(tracked: Step, stream: Stream, clock: Clock) -> Step:
    def step(raw: RawFrame) -> VideoFrame:
        frame = tracked(raw)
        with clock("smooth"):
            return replace(frame, poses=stream(frame.poses, frame.time), raw=frame.poses)

    return step


def _tracks(tracker: Tracker, clip: Iterable[RawFrame]) -> list[Track]:
    frames: list[Poses] = []
    times: list[float] = []
    for raw in clip:
        frames.append(tracker(raw.poses, raw.time))
        times.append(raw.time)
    return tracks_of(frames, times)


def _offline(tracker: Tracker, smoother: Smoother, clip: Iterable[RawFrame], points: int, clock: Clock) -> Step:
    """All frames are tracked and smoothed first; the poses of the clip are held in memory."""
    clip = list(clip)
    with clock("track", len(clip)):
        tracks = _tracks(tracker, clip)
    with clock("smooth", len(clip)):
        smoothed = frames_of([smoother.track(track) for track in tracks], len(clip), points)
        before = frames_of(tracks, len(clip), points)

    def step(raw: RawFrame) -> VideoFrame:
        poses = smoothed[raw.index]
        return VideoFrame(raw.index, raw.time, poses, _aligned(before[raw.index], poses))

    return step


def _aligned(raw: Poses, poses: Poses) -> Poses:
    """The raw instances in the order of the smoothed ones; not a number for one that a filter has filled in."""
    if not len(poses):
        return poses
    ids: list[int] = [] if poses.ids is None else poses.ids.tolist()
    known = {} if raw.ids is None else {number: row for row, number in enumerate(raw.ids.tolist())}
    rows = [known.get(number, -1) for number in ids]
    xy = np.full(poses.xy.shape, np.nan, np.float32)
    score = np.zeros(poses.score.shape, np.float32)
    there = np.asarray(rows) >= 0
    if there.any():
        chosen = np.asarray(rows)[there]
        xy[there], score[there] = raw.xy[chosen], raw.score[chosen]
    return Poses(xy, score, poses.instance_score, ids=poses.ids)
