"""Detect-every-n: the finder of a chain runs on few frames of a video, tracked points give the boxes in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import around, usable
from posekit.geometry.keypoints import Poses
from posekit.geometry.parts import part_boxes
from posekit.pipelines.chain import CLEAR, Chain, enlarged_boxes
from posekit.pipelines.images import Image
from posekit.postprocess.nms import oks_nms
from posekit.postprocess.track import Tracking

MARGIN = 0.1
"""Margin of the box around the points of an instance, in fractions of it."""


class Propagation:
    """A chain on a video, whose finder runs on every n-th frame and where an instance is lost.

    In between, the boxes of the second model are those of the tracks, moved by their motion and enlarged to hold their
    points, so that every instance keeps its id. An instance is lost if the mean score of its points falls far below
    that which it had when the finder found it, or if two tracks end on the same instance; then the finder runs on this
    frame at once. It also runs on the next frame while a new instance is not confirmed. Who enters the image is found
    by the finder only, so up to n - 1 frames later.

    Args:
        chain: a finder and a model of crops, of the same instances.
        tracking: settings of the tracker; its ``score_threshold`` should suit the chain.
        every: n; 1 runs the finder on every frame.
        lost: fraction of the score of the points below which an instance is lost.
        same: OKS above which two tracks are on the same instance.

    Raises:
        ValueError: the second model reads parts of what the first finds, or a number is out of range.
    """

    def __init__(self, chain: Chain, tracking: Tracking, every: int = 5, lost: float = 0.6, same: float = 0.9) -> None:
        if part_boxes(chain.finder.skeleton, chain.skeleton) is not None:
            raise ValueError(
                f"{chain.name}: a track of {chain.skeleton.name!r} says nothing about the next box of a part of "
                f"{chain.finder.skeleton.name!r}; run the chain on every frame"
            )
        if every < 1 or not (0 <= lost <= 1 and 0 < same <= 1):
            raise ValueError(
                f"expected every of at least 1, lost in [0, 1] and same in (0, 1]; got {every}, {lost} and {same}"
            )
        self.chain, self.tracking, self.every, self.lost, self.same = chain, tracking, every, lost, same
        self.frames = self.finder_calls = self.crops = 0

    def __repr__(self) -> str:
        return f"Propagation({self.chain.name}, every {self.every} frames, {self.tracking})"

    def stream(self, images: Iterable[Image], times: Iterable[float]) -> Iterator[Poses]:
        """The instances of each frame with their ids; ``frames``, ``finder_calls`` and ``crops`` count what is run.

        Args:
            images: RGB uint8 (H, W, 3).
            times: of each frame in seconds, increasing.

        Yields:
            As `Tracker.__call__`: poses with ``ids``. Without the finder, their ``boxes`` are between the box of the
            track and that around the points, and their scores those of the finder times the mean score of the points.

        Raises:
            ValueError: a time does not increase.
        """
        tracker = self.tracking.start(self.chain.skeleton)
        found, wait = Poses.empty(len(self.chain.skeleton.points)), 0
        first = found
        for image, time in zip(images, times, strict=True):
            self.frames += 1
            tracker.advance(time, image)
            read = None
            if wait and not tracker.undecided:
                read = self._read(image, tracker.predicted, first)
            if read is None:
                wait = self.every
                found = tracker(self._found(image), time, image)
                first = found
            else:
                found = read
                tracker.follow(found, time, image)
            wait -= 1
            yield found

    def _found(self, image: Image) -> Poses:
        self.finder_calls += 1
        (poses,) = self.chain.stream([image])
        self.crops += len(poses)
        return poses

    def _read(self, image: Image, tracks: Poses, first: Poses) -> Poses | None:
        """The instances of the tracks, or ``None`` where the finder is needed.

        Args:
            image: of the frame.
            tracks: predicted for it.
            first: what the finder found last, with ids.
        """
        tracks = tracks[_inside(tracks, image)]
        if not len(tracks):
            return tracks if not len(first) else None
        boxes = enlarged_boxes(tracks)
        (poses,) = self.chain.pose.stream([image], [boxes])
        self.crops += len(poses)
        before = first[_rows(first, tracks)]
        mean, usual = poses.score.mean(-1), before.score.mean(-1)
        if not (mean >= self.lost * usual).all():
            return None
        poses = replace(poses, boxes=_settled(tracks, poses).astype(np.float32), ids=tracks.ids)
        if len(oks_nms(poses, self.chain.skeleton.oks_sigmas, threshold=self.same)) < len(poses):
            return None
        score = before.instance_score / np.maximum(usual, 1e-6) * mean
        return replace(poses, instance_score=score.astype(poses.score.dtype))


def _rows(first: Poses, tracks: Poses) -> NDArray[np.intp]:
    """(N,) where the ids of the tracks are among those of ``first``."""
    ids, wanted = np.asarray(first.ids), np.asarray(tracks.ids)
    order = np.argsort(ids)
    return np.asarray(order[np.searchsorted(ids[order], wanted)])


def _inside(tracks: Poses, image: Image) -> NDArray[np.bool_]:
    """(N,) whether the centre of a track's box lies in the image; the others have left it."""
    assert tracks.boxes is not None
    centre = (tracks.boxes[:, :2] + tracks.boxes[:, 2:]) / 2
    inside = ((centre > 0) & (centre < (image.shape[1], image.shape[0]))).all(-1)
    return np.asarray(inside & usable(tracks.boxes))


def _settled(tracks: Poses, poses: Poses) -> NDArray[np.float64]:
    """(N, 4) the mean of the box of each track and that around its clear points: it can grow and shrink."""
    assert tracks.boxes is not None
    clear = (poses.score >= CLEAR) & np.isfinite(poses.xy).all(-1)
    points = around(poses.xy.astype(np.float64), clear, MARGIN)
    return np.asarray(np.where(clear.any(-1)[:, None], (tracks.boxes + points) / 2, tracks.boxes))
