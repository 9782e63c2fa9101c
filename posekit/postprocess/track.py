"""Identities over time: which instance of a frame is which of the frames before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.boxes import iou
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.metrics.assignment import Index, assign
from posekit.postprocess.association import possible, similarity
from posekit.postprocess.motion import Float, Motion, Seen, born, seen

TENTATIVE = 0
"""Id of a track that is not confirmed yet."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Tracking:
    """Settings of a tracker.

    Lengths are in sizes of the instance, the square root of the area of its box, and durations in seconds, so that
    they hold at any resolution and frame rate.

    Source: two passes by score as in ByteTrack, Zhang et al. 2022, arXiv:2110.06864; motion as in SORT, Bewley et al.
    2016, arXiv:1602.00763. Differs: similarity is the mean of OKS and IoU, the variance of the prediction widens OKS
    and gate, and the time between frames may vary.
    """

    score_threshold: float = Field(default=0.3, ge=0, le=1)
    "instances with this score begin tracks and are matched first; take that of the model (`instance_threshold`)"
    low: float = Field(default=0.4, gt=0, le=1)
    "instances with at least this fraction of it can continue a track of the last frame"
    birth_frames: int = Field(default=2, ge=1)
    "frames in a row until a new instance gets an id; it is not given before"
    birth_score: float = Field(default=1.5, ge=1)
    "a new instance with this multiple of score_threshold gets its id at once"
    memory: float = Field(default=2.0, gt=0)
    "seconds for which a track that is not found is kept, and gets its id back near its prediction"
    points: float = Field(default=0.5, ge=0, le=1)
    "weight of the OKS of the points in the similarity; the rest is that of the IoU of the boxes"
    min_similarity: float = Field(default=0.1, ge=0, lt=1)
    "similarity below which instance and track do not belong together"
    low_similarity: float = Field(default=0.3, ge=0, lt=1)
    "the same for instances with low scores, and for tracks that are not confirmed"
    gate: float = Field(default=4.0, gt=0)
    "largest distance from the prediction in its standard deviations, which grow while a track is not found"
    reach: float = Field(default=2.0, gt=0)
    "largest distance from the prediction in sizes"
    agility: float = Field(default=1.0, gt=0)
    "how much the velocity changes in a second (standard deviation), in sizes a second"
    duplicate: float = Field(default=0.8, gt=0, le=1)
    "an instance without a track whose IoU with one that has a track is larger is a duplicate and begins no track"

    def start(self, skeleton: Skeleton) -> Tracker:
        """A tracker that has seen nothing yet, for poses of a skeleton."""
        return Tracker(self, skeleton)


class Tracker:
    """Gives the instances of each frame their ids; it keeps the state between frames.

    An id is a number from 1 that is never used again. The id of an instance depends on earlier frames only, not on
    the order of the instances.

    Args:
        settings: of the tracking.
        skeleton: of the poses; its sigmas are those of OKS.
    """

    def __init__(self, settings: Tracking, skeleton: Skeleton) -> None:
        self.settings, self.skeleton = settings, skeleton
        self.time: float | None = None
        self.before: float | None = None
        self.tracks = Motion.none(len(skeleton.points))
        self.last_id = 0

    def __repr__(self) -> str:
        return f"Tracker({int((self.tracks.ids > TENTATIVE).sum())} tracks of {self.skeleton.name!r}, {self.settings})"

    def __call__(self, poses: Poses, time: float, image: NDArray[Any] | None = None) -> Poses:
        """Track the next frame.

        Args:
            poses: (N, K) of one image, NumPy arrays, in any order; points that are not finite are left out of the
                comparison. Earlier ids are ignored.
            time: of the frame in seconds, larger than that of the last one.
            image: not used.

        Returns:
            The instances with an id, in the same order and otherwise unchanged, with ``ids`` (N,) int64. Left out are
            new ones that are not confirmed yet, and those with low scores that continue no track.

        Raises:
            ValueError: the time does not increase, or the poses have another number of points.
        """
        found = self._checked(poses, time)
        self._predict(time)
        ids = self._assigned(found, time)
        keep = np.flatnonzero(ids > TENTATIVE)
        return replace(poses.each(np.asarray)[keep], ids=ids[keep])

    def _checked(self, poses: Poses, time: float) -> Seen:
        K = len(self.skeleton.points)
        if poses.xy.ndim != 3 or poses.xy.shape[1] != K:
            raise ValueError(
                f"expected poses of one image, (N, {K}, 2) for skeleton {self.skeleton.name!r}; got "
                f"{tuple(poses.xy.shape)}"
            )
        if not np.isfinite(time) or (self.time is not None and not time > self.time):
            raise ValueError(f"expected a time in seconds after {self.time}; got {time}; start another tracker")
        return seen(poses)

    def _predict(self, time: float) -> None:
        """Move the tracks to ``time`` and drop those that were not seen for too long."""
        if self.time is not None:
            self.tracks = self.tracks.predicted(time - self.time, self.settings.agility)
            self.tracks = self.tracks[time - self.tracks.time <= self.settings.memory]
        self.before, self.time = self.time, time

    def _assigned(self, found: Seen, time: float) -> NDArray[np.int64]:
        """The id of each instance (N,), 0 for none; the tracks are updated."""
        settings = self.settings
        high = found.known & (found.score >= settings.score_threshold)
        low = found.known & ~high & (found.score >= settings.low * settings.score_threshold)
        gain = self._gain(found)
        confirmed = self.tracks.ids > TENTATIVE
        recent = self.tracks.time == self.before
        track_of = np.full(len(found), -1, np.intp)
        for old, some, least in (
            (confirmed, high, settings.min_similarity),
            (confirmed & recent, low, settings.low_similarity),
            (~confirmed, high, settings.low_similarity),
        ):
            _match(gain, np.setdiff1d(np.flatnonzero(old), track_of), some & (track_of < 0), least, track_of)
        matched = np.flatnonzero(track_of >= 0)
        self.tracks = self.tracks.corrected(track_of[matched], found[matched], time)
        new = high & (track_of < 0)
        if new.any() and len(matched):
            new &= ~(iou(found.boxes, found.boxes[matched]).max(1) > settings.duplicate)
        begun = np.flatnonzero(new)
        track_of[begun] = len(self.tracks) + np.arange(len(begun))
        self.tracks = self.tracks.joined(born(found[begun], time))
        self._confirm(found, track_of)
        ids = np.full(len(found), TENTATIVE, np.int64)
        ids[track_of >= 0] = self.tracks.ids[track_of[track_of >= 0]]
        # A track that is not confirmed must be found in every frame.
        self.tracks = self.tracks[(self.tracks.ids > TENTATIVE) | (self.tracks.time == time)]
        return ids

    def _gain(self, found: Seen) -> Float:
        """Similarity of tracks and instances, 0 where the motion is impossible."""
        settings, tracks = self.settings, self.tracks
        alike = similarity(tracks, found, self.skeleton.oks_sigmas, settings.points)
        alike[~possible(tracks, found, settings.gate, settings.reach)] = 0.0
        return alike

    def _confirm(self, found: Seen, track_of: Index) -> None:
        """Give ids to tracks that have been found often enough, or with a high score: the best first."""
        settings = self.settings
        some = np.flatnonzero(track_of >= 0)
        some = some[self.tracks.ids[track_of[some]] == TENTATIVE]
        sure = found.score[some] >= settings.birth_score * settings.score_threshold
        some = some[sure | (self.tracks.hits[track_of[some]] >= settings.birth_frames)]
        # By score, then by location: the order of the instances does not matter.
        some = some[np.lexsort((*found.boxes[some].T, -found.score[some]))]
        self.tracks.ids[track_of[some]] = self.last_id + 1 + np.arange(len(some))
        self.last_id += len(some)


def _match(gain: Float, tracks: Index, some: NDArray[np.bool_], least: float, track_of: Index) -> None:
    """Assign some instances to some tracks; ``track_of`` (N,) is changed in place."""
    columns = np.flatnonzero(some)
    part = gain[np.ix_(tracks, columns)]
    rows, chosen = assign(np.where(part >= least, part, 0.0))
    track_of[columns[chosen]] = tracks[rows]
