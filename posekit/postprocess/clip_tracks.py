"""Ids for a clip that was read from a file: its own, or those that tracking finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posekit.data.clips import Clip, Float
from posekit.data.errors import DataError
from posekit.geometry.keypoints import Poses
from posekit.postprocess.track import Tracking


def with_ids(clip: Clip, times: Float, tracking: Tracking | None = None) -> tuple[Clip, bool]:
    """The clip with an id for each instance, below 0 for those in no track, and whether tracking gave them.

    Args:
        clip: with ids, which are kept, or without.
        times: (F,) seconds of its frames.
        tracking: settings; ``None``: the defaults.

    Raises:
        DataError: tracking finds no track.
    """
    if clip.has_ids:
        return clip, False
    settings = tracking or Tracking()
    tracker = settings.start(clip.skeleton)
    frames, alone = [], 0
    for poses, time in zip(clip.frames, times.tolist(), strict=True):
        found = tracker(poses, time)
        ids = _ids(poses, found, alone)
        alone += len(poses) - len(found)
        frames.append(replace(poses, ids=ids))
    if not any((poses.ids >= 0).any() for poses in frames if poses.ids is not None):
        best = max((float(poses.instance_score.max()) for poses in frames if len(poses)), default=0.0)
        raise DataError(
            f"no instance could be tracked over {len(clip)} frames: tracks begin with instances of a score of "
            f"{settings.score_threshold:g}, the best has {best:.2g}; give a lower --threshold"
        )
    return clip.with_frames(frames), True


def _ids(poses: Poses, found: Poses, alone: int) -> np.ndarray:
    """(N,) the ids of the tracked instances, which are in the same order; the others get numbers below 0."""
    ids = -1 - alone - np.arange(len(poses))
    at = 0
    for n in range(len(found)):
        while not (np.array_equal(poses.xy[at], found.xy[n]) and np.array_equal(poses.score[at], found.score[n])):
            at += 1
        assert found.ids is not None
        ids[at] = found.ids[n]
        at += 1
    # Only the instances without a track count on.
    free = ids < 0
    ids[free] = -1 - alone - np.arange(free.sum())
    return ids
