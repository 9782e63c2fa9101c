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
from posekit.postprocess.flow import Flow
from posekit.postprocess.motion import Float, Motion, Seen, born, seen

TENTATIVE = 0
"""Id of a track that is not confirmed yet."""

FLOW_NOISE = 0.1
"""Standard deviation of the location of an instance that optical flow finds, in its sizes."""


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
    """seconds for which a track that is not found is kept, and gets its id back near its prediction; longer than
    the time between two frames"""
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
    flow: bool = False
    "predict points by optical flow between the images as well; needs the images"
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
        self.done: float | None = None
        self.tracks = Motion.none(len(skeleton.points))
        self.last_id = 0
        self.flow = Flow() if settings.flow else None

    def __repr__(self) -> str:
        return f"Tracker({int((self.tracks.ids > TENTATIVE).sum())} tracks of {self.skeleton.name!r}, {self.settings})"

    def __call__(self, poses: Poses, time: float, image: NDArray[Any] | None = None) -> Poses:
        """Track the next frame.

        Args:
            poses: (N, K) of one image, NumPy arrays, in any order; points that are not finite are left out of the
                comparison. Earlier ids are ignored.
            time: of the frame in seconds, larger than that of the last one.
            image: RGB uint8 (H, W, 3), used and needed with ``flow``.

        Returns:
            The instances with an id, in the same order and otherwise unchanged, with ``ids`` (N,) int64. Left out are
            new ones that are not confirmed yet, and those with low scores that continue no track.

        Raises:
            ValueError: the time does not increase, the poses have another number of points, or an image is missing.
        """
        found = self._checked(poses)
        self.advance(time, image)
        ids = self._assigned(found, time)
        keep = np.flatnonzero(ids > TENTATIVE)
        return replace(poses.each(np.asarray)[keep], ids=ids[keep])

    def advance(self, time: float, image: NDArray[Any] | None = None) -> None:
        """Predict all tracks for the time of the next frame; a call, or `follow`, for the same time comes after it.

        Raises:
            ValueError: the time does not increase, or an image is missing.
        """
        if not np.isfinite(time) or (self.time is not None and time < self.time) or time == self.done:
            raise ValueError(f"expected a time in seconds after {self.done}; got {time}; start another tracker")
        if time == self.time:
            return
        if self.flow is not None:
            if image is None:
                raise ValueError("tracking with flow needs the image of each frame; give it, or set flow=False")
            self.flow(image)
        self._predict(time)

    @property
    def predicted(self) -> Poses:
        """Confirmed tracks that were found in the last frame, predicted for the time of `advance`.

        Points have the scores with which they were found; the score of an instance is their mean.
        """
        tracks = self.tracks[(self.tracks.ids > TENTATIVE) & (self.tracks.time == self.done)]
        return Poses(
            xy=tracks.xy, score=tracks.weight, instance_score=tracks.weight.mean(-1), boxes=tracks.boxes, ids=tracks.ids
        )

    @property
    def undecided(self) -> bool:
        """Whether a track is not confirmed yet."""
        return bool((self.tracks.ids == TENTATIVE).any())

    def follow(self, poses: Poses, time: float, image: NDArray[Any] | None = None) -> None:
        """Take instances whose ids are known, as they were read where `predicted` said; other tracks are kept.

        Args:
            poses: (N, K) of one image with ``ids`` of this tracker's tracks.
            time: as in a call.
            image: as in a call.

        Raises:
            ValueError: as a call; also an id is unknown.
        """
        found = self._checked(poses)
        self.advance(time, image)
        ids = np.zeros(0, np.int64) if poses.ids is None else np.asarray(poses.ids)
        known = np.flatnonzero(self.tracks.ids > TENTATIVE)
        order = known[np.argsort(self.tracks.ids[known])]
        rows = order[np.isin(self.tracks.ids[order], ids)]
        if len(ids) != len(found) or len(rows) != len(ids):
            known_ids = self.tracks.ids[order].tolist()
            raise ValueError(f"expected {len(found)} distinct ids of the tracks {known_ids}; got {ids.tolist()}")
        found = found[np.argsort(ids)]
        self.tracks = self.tracks.corrected(rows, found, time)
        self.done = time

    def _checked(self, poses: Poses) -> Seen:
        K = len(self.skeleton.points)
        if poses.xy.ndim != 3 or poses.xy.shape[1] != K:
            raise ValueError(
                f"expected poses of one image, (N, {K}, 2) for skeleton {self.skeleton.name!r}; got "
                f"{tuple(poses.xy.shape)}"
            )
        return seen(poses)

    def _predict(self, time: float) -> None:
        """Move the tracks to ``time`` and drop those that were not seen for too long."""
        if self.time is not None:
            after = self.tracks.predicted(time - self.time, self.settings.agility)
            self.tracks = self._flowed(self.tracks, after)
            self.tracks = self.tracks[time - self.tracks.time <= self.settings.memory]
        self.time = time

    def _flowed(self, before: Motion, after: Motion) -> Motion:
        """The predicted tracks, corrected by the optical flow at the points of those found in the last frame."""
        if self.flow is None or not len(before):
            return after
        steps, known = self.flow.steps(before.xy)
        weight = np.where(known, before.weight, 0.0) * (before.time == self.done)[:, None]
        total = weight.sum(-1)
        rows = np.flatnonzero(total > 0)
        mean = (steps * weight[..., None]).sum(1)[rows] / total[rows, None]
        moved = after[rows]
        moved = moved.shifted(before.xy[rows, 0] + mean - moved.xy[:, 0], FLOW_NOISE)
        own = np.where((weight[rows] > 0)[..., None], steps[rows] - mean[:, None], 0.0)
        return after.replaced(rows, replace(moved, xy=moved.xy + own))

    def _assigned(self, found: Seen, time: float) -> NDArray[np.int64]:
        """The id of each instance (N,), 0 for none; the tracks are updated."""
        settings = self.settings
        high = found.known & (found.score >= settings.score_threshold)
        low = found.known & ~high & (found.score >= settings.low * settings.score_threshold)
        gain = self._gain(found)
        confirmed = self.tracks.ids > TENTATIVE
        recent = self.tracks.time == self.done
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
        self.done = time
        # A track that is not confirmed must be found in every frame.
        self.tracks = self.tracks[(self.tracks.ids > TENTATIVE) | (self.tracks.time == time)]
        return ids

    def _gain(self, found: Seen) -> Float:
        """Similarity of tracks and instances, 0 where the motion is impossible."""
        settings, tracks = self.settings, self.tracks
        pairs = np.nonzero(possible(tracks, found, settings.gate, settings.reach))
        gain = np.zeros((len(tracks), len(found)))
        gain[pairs] = similarity(tracks, found, (pairs[0], pairs[1]), self.skeleton.oks_sigmas, settings.points)
        return gain

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
