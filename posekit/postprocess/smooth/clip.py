"""Smoothing all tracks of a clip at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.base import Smoother


def smooth_clip(smoother: Smoother, tracks: Sequence[Track]) -> list[Track]:
    """The smoothed tracks, in the order given.

    The same as smoothing one after the other; a causal filter handles all instances of a frame together, which is
    faster.

    Args:
        smoother: any filter.
        tracks: with distinct ids and the same number of points.

    Raises:
        ValueError: an id occurs twice.
    """
    ids = [track.id for track in tracks]
    if len(set(ids)) < len(ids):
        raise ValueError(f"each track needs an id of its own; got {ids}")
    some = [track for track in tracks if len(track)]
    if not smoother.causal or len(some) < 2:
        return [smoother.track(track) for track in tracks]
    named = [replace(track.poses, ids=np.full(len(track), track.id)) for track in some]
    if len({tuple(getattr(p, f) is None for f in ("boxes", "spread", "depth")) for p in named}) > 1:
        # Tracks that know different things cannot be joined into frames.
        return [smoother.track(track) for track in tracks]
    every, clock = Poses.concatenate(named), np.concatenate([track.times for track in some])
    order = np.argsort(clock, kind="stable")
    times, starts = np.unique(clock[order], return_index=True)
    stream = smoother.stream(every.xy.shape[1])
    rows = np.split(order, starts[1:])
    done = Poses.concatenate([stream(every[row], float(time)) for row, time in zip(rows, times, strict=True)])
    done = done[np.argsort(order, kind="stable")]
    ends = np.cumsum([len(track) for track in some])[:-1]
    parts = iter(np.split(np.arange(len(clock)), ends))
    return [replace(track, poses=_fields(done[next(parts)], track)) if len(track) else track for track in tracks]


def _fields(poses: Poses, track: Track) -> Poses:
    """The smoothed poses with the ids that the track's own poses had."""
    return replace(poses, ids=track.poses.ids)
