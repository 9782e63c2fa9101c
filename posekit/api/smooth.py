"""`posekit.smooth`: a file of points over time to the same file with steady points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posekit.api.angles import assumed
from posekit.api.filters import LIVE, NONE, check_filter, filter_of, is_causal
from posekit.data.clip_files import FORMATS, check_target, read_clip, write_clip
from posekit.data.clips import Clip, Float, missing
from posekit.data.errors import DataError
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import Track, frames_of, tracks_of
from posekit.metrics.motion import accelerations, lag_ms
from posekit.postprocess.clip_tracks import with_ids
from posekit.postprocess.smooth import SMOOTHERS
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.smooth.clip import smooth_clip
from posekit.postprocess.track import Tracking

OFFLINE, CAUSAL = "rts", "kalman"
"""The filter without and with an accepted lag."""
WITH_DEPTH = tuple(FORMATS[name].about for name in ("lines", "npz"))
"""Formats that hold depths."""
LONGEST = 3000
"""Most frames of a track on which the lag is measured."""
MOST = 20
"""Most tracks on which the lag is measured; the longest."""


@dataclass(frozen=True, eq=False)
class Smoothed:
    """What was smoothed, and how much it helped.

    Args:
        out: the file or folder that was written.
        format: of both, in words.
        clip: the smoothed poses.
        smoother: the filter with its settings; ``None``: none.
        tracks: number of instances over time.
        tracked: whether tracking gave the ids, rather than the file.
        alone: number of instances that are in no track, in all frames; they stay as they are.
        filled: number of points that were missing and are filled in.
        jitter: mean length of the acceleration of a point before and after, pixels per frame squared; NaN where no
            point is there in three frames in a row.
        lag: ms by which the smoothed points come later than those of the file (negative: earlier); NaN where nothing
            moves, or tracks are shorter than 1.5 s.
        notes: sentences on what was assumed.
    """

    out: Path
    format: str
    clip: Clip
    smoother: Smoother | None
    tracks: int
    tracked: bool
    alone: int
    filled: int
    jitter: tuple[float, float]
    lag: float
    notes: tuple[str, ...]

    @property
    def cut(self) -> float:
        """Part of the jitter that is gone, 0.8 for four fifths; NaN where there was none."""
        before, after = self.jitter
        return 1 - after / before if before > 0 else float("nan")


def smooth(
    source: str | Path,
    out: str | Path,
    *,
    filter: str | Smoother | None = None,
    lag: float | None = None,
    fps: float | None = None,
    points: str | None = None,
    tracking: Tracking | None = None,
    lift: bool = False,
) -> Smoothed:
    """Steady the points of a file over time and write them in its format.

    Everything else in the file is kept. Instances get ids by tracking if the file has none.

    Args:
        source: points over time; see `posekit.data.clip_files.FORMATS`.
        out: file, or folder for OpenPose, to write; replaced if it exists, but never the source.
        filter: key of `SMOOTHERS`, tuned on the clip; "temporal" or "temporal-offline", a network, with ":FOLDER" one
            that `posekit train temporal` wrote; or a filter, taken as it is; or "none", which only gives ids. ``None``:
            "kalman" if a ``lag`` is given, else "rts", which looks at the whole recording and has no lag.
        lag: accepted lag in ms, for filters that do not look ahead; ``None``: 0.
        fps: frames a second; ``None``: the times of the file, else 30.
        points: names of the points where the file has none; see `posekit.data.clip_files.read_clip`.
        tracking: settings for files without ids; ``None``: the defaults.
        lift: of a temporal network: also write the depth of each point about the root.

    Raises:
        DataError: the file is invalid, has no instances that can be tracked, or cannot be written as ``out``.
        ValueError: there is no such filter, it has no lag to choose, or it cannot lift.
    """
    source, out = Path(source), Path(out)
    name = _name(filter, lag, lift)
    form = check_target(out, source)
    if lift and form.about not in WITH_DEPTH:
        raise DataError(
            f"{out}: {form.about} has no place for depths: leave out --lift, or take {' or '.join(WITH_DEPTH)}"
        )
    raw = read_clip(source, points)
    times = raw.clock(fps)
    raw, tracked = with_ids(raw, times, tracking)
    every = tracks_of(raw.frames, times)
    tracks = [track for track in every if track.id >= 0]
    if not tracks:
        raise DataError(f"{source}: no instance has an id that is not below 0, so there is nothing to smooth")
    smoother = _smoother(name, filter, tracks, lag or 0.0, raw.skeleton, lift)
    done = tracks if smoother is None else smooth_clip(smoother, tracks)
    alone = [_unfilled(track, smoother if lift else None) for track in every if track.id < 0]
    frames = frames_of([*done, *alone], len(raw), len(raw.skeleton.points))
    clip = raw.with_frames([_in_order(old, new) for old, new in zip(raw.frames, frames, strict=True)])
    write_clip(clip, out, source)
    jitter = _jitter(tracks, done, raw.numbers)
    return Smoothed(
        out,
        form.about,
        clip,
        smoother,
        len(tracks),
        tracked,
        sum(map(len, alone)),
        _filled(done) - _filled(tracks),
        jitter,
        _lag(tracks, done),
        assumed(raw, fps),
    )


def _name(filter: str | Smoother | None, lag: float | None, lift: bool) -> str | None:
    """Name of the filter to tune; ``None`` for a filter that is given."""
    if filter is None:
        filter = OFFLINE if lag is None else CAUSAL
    if not isinstance(filter, str):
        if lag is not None:
            raise ValueError("a filter with its settings has its lag: leave out lag, or give the filter by name")
        return None
    check_filter(filter, lift)
    if filter == NONE:
        return filter
    if lag is not None and not is_causal(filter):
        causal = ", ".join([key for key in SMOOTHERS if is_causal(key)] + [LIVE])
        raise ValueError(
            f"filter {filter!r} looks at the whole recording and has no lag: leave out --lag, or take {causal}"
        )
    return filter


def _smoother(
    name: str | None,
    filter: str | Smoother | None,
    tracks: Sequence[Track],
    lag: float,
    skeleton: Skeleton,
    lift: bool,
) -> Smoother | None:
    if name is None:
        assert filter is not None and not isinstance(filter, str)
        return filter
    return None if name == NONE else filter_of(name, tracks, lag, skeleton, lift)


def _unfilled(track: Track, lifting: Smoother | None) -> Track:
    """A track with marks of what is filled in, and the depths of a network that lifts, as smoothed ones have."""
    poses = track.poses
    if lifting is not None:
        poses = replace(poses, depth=lifting.track(track).poses.depth)
    if poses.filled is None:
        poses = replace(poses, filled=np.zeros(poses.score.shape, bool))
    return replace(track, poses=poses)


def _in_order(old: Poses, new: Poses) -> Poses:
    """The new poses in the order of the old ones, by id; new instances come last."""
    if not len(new) or old.ids is None or new.ids is None:
        return new
    place = {int(one): n for n, one in enumerate(old.ids)}
    return new[np.argsort([place.get(int(one), len(old)) for one in new.ids], kind="stable")]


def _filled(tracks: Sequence[Track]) -> int:
    return sum(int(track.poses.filled.sum()) for track in tracks if track.poses.filled is not None)


def _pair(raw: Track, done: Track) -> tuple[Float, Float]:
    """(T, K, 2) of the frames that both have, NaN where a point is missing in either."""
    _, ours, theirs = np.intersect1d(raw.frames, done.frames, return_indices=True)
    before, after = raw.poses[ours], done.poses[theirs]
    lost = (missing(before) | missing(after))[..., None]
    return np.where(lost, np.nan, before.xy), np.where(lost, np.nan, after.xy)


def _jitter(raw: Sequence[Track], done: Sequence[Track], numbers: np.ndarray) -> tuple[float, float]:
    """Mean length of accelerations before and after, over the same points of the same frames."""
    found: list[tuple[Float, Float]] = []
    for one, other in zip(raw, done, strict=True):
        frames = numbers[np.intersect1d(one.frames, other.frames)]
        rows = frames - frames[0]
        both = []
        for xy in _pair(one, other):
            even = np.full((int(rows[-1]) + 1, *xy.shape[1:]), np.nan)
            even[rows] = xy
            both.append(np.linalg.norm(accelerations(even), axis=-1).ravel())
        known = np.isfinite(both[0]) & np.isfinite(both[1])
        found.append((both[0][known], both[1][known]))
    before, after = (np.concatenate([pair[n] for pair in found]) for n in (0, 1))
    return (float(before.mean()), float(after.mean())) if before.size else (float("nan"), float("nan"))


def _lag(raw: Sequence[Track], done: Sequence[Track]) -> float:
    """Median over the longest tracks of the lag, each weighing as many frames as it has."""
    pairs = sorted(zip(raw, done, strict=True), key=lambda pair: -len(pair[0]))[:MOST]
    found = []
    for one, other in pairs:
        times = one.times[np.isin(one.frames, other.frames)][:LONGEST]
        if len(times) > 2:
            before, after = (xy[:LONGEST] for xy in _pair(one, other))
            found.append((lag_ms(after, before, times), len(times)))
    known = sorted((lag, frames) for lag, frames in found if np.isfinite(lag))
    if not known:
        return float("nan")
    weight = np.cumsum([frames for _, frames in known])
    return known[int(np.searchsorted(weight, weight[-1] / 2))][0]
