"""Images to poses by one model: cut out, run the network, map points back into the image, NMS.

Everything except the network runs in NumPy and OpenCV; the network is an `Engine` of any runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import Engine, InferenceSpec
from posekit.geometry.affine import invert
from posekit.geometry.framing import Matrix, own_poses
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.metrics.calibration import Calibration
from posekit.pipelines.images import Boxes, Image, checked_boxes, image_of, images_of
from posekit.postprocess.suppress import across_views
from posekit.transforms.geometric import warp

Images = Image | str | Path | Sequence[Image | str | Path]
"""An image, an image file, or a list of these."""


CROPS, VIEWS = 8, 2
"""Crops, and views of full images, in a batch by default: on a CPU larger ones are no faster and take more memory."""


class PosePredictor(Protocol):
    """What finds poses in images: a `Predictor`, a `Chain` of two, or a cascade."""

    @property
    def name(self) -> str:
        """Name for messages and files."""
        ...

    @property
    def skeleton(self) -> Skeleton:
        """Skeleton of the model."""
        ...

    @property
    def needs_boxes(self) -> bool:
        """Whether it takes a box for each instance; false if it finds instances itself."""
        ...

    @property
    def instance_threshold(self) -> float:
        """Score from which an instance counts as found, in [0, 1]."""
        ...

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """One `Poses` for each image."""
        ...

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """One `Poses` for each image of a stream."""
        ...


@dataclass(eq=False)
class _Pending:
    """An image of which some crops or views are still to be predicted."""

    boxes: NDArray[np.float64] | None
    frames: list[Matrix]
    found: list[Poses] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return len(self.found) == len(self.frames)


class Predictor:
    """A model, ready to be called with images.

    Args:
        engine: runs the network; its spec holds framing and postprocessing.
        batch: crops, or views of full images, in a batch; ``None``: `CROPS` or `VIEWS`.

    >>> find = posekit.load("runs/mine")     # doctest: +SKIP
    >>> poses = find("photo.jpg")[0]         # doctest: +SKIP
    """

    def __init__(self, engine: Engine, batch: int | None = None) -> None:
        if batch is None:
            batch = CROPS if engine.spec.needs_boxes else VIEWS
        if batch < 1:
            raise ValueError(f"batch must be at least 1; got {batch}")
        self.engine, self.batch = engine, batch

    @property
    def spec(self) -> InferenceSpec:
        """The spec of the model."""
        return self.engine.spec

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.spec.name

    @property
    def skeleton(self) -> Skeleton:
        """Skeleton of the model."""
        return self.spec.skeleton

    @property
    def needs_boxes(self) -> bool:
        """Whether it takes a box for each instance; without boxes the image is one box."""
        return self.spec.needs_boxes

    @property
    def instance_threshold(self) -> float:
        """Score from which an instance counts as found."""
        return self.spec.instance_threshold

    def __repr__(self) -> str:
        spec = self.spec
        how = "a box for each instance" if spec.needs_boxes else "full images"
        return (
            f"Predictor({spec.name}: {len(spec.skeleton.points)} points of {spec.skeleton.name!r} in {how}, "
            f"{spec.size[0]}x{spec.size[1]}, {self.engine!r})"
        )

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """Find the points of every instance.

        Args:
            images: RGB uint8 (H, W, 3) of any size, an image file, or a list of these.
            boxes: for models that take boxes: for each image (N, 4) x0 y0 x1 y1 in its pixels, or one such array
                for a single image; ``None`` takes each image as one box. Must be ``None`` for other models.

        Returns:
            For each image `Poses` of NumPy arrays in its pixels: one instance for each box in the given order, with
            ``boxes`` set; or all found instances, the best first.

        Raises:
            ValueError: an image or a box is invalid; the message has its number.
            DataError: a file cannot be read.
        """
        many, boxes = images_of(images, boxes)
        if boxes is not None and not self.needs_boxes:
            raise ValueError(f"{self.spec.name} finds instances itself: leave out the boxes")
        return list(self.stream((image_of(image, number) for number, image in enumerate(many)), boxes))

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """Like a call, for a stream of images; few of them are held in memory.

        Args:
            images: RGB uint8 (H, W, 3).
            boxes: for each image (N, 4), or ``None``.

        Yields:
            One `Poses` for each image, in order, as soon as its batch is full.
        """
        waiting: list[_Pending] = []
        crops: list[Image] = []
        jobs: list[_Pending] = []
        per_image = iter(boxes) if boxes is not None else None
        for number, image in enumerate(images):
            pending = self._framed(image, None if per_image is None else next(per_image), number)
            waiting.append(pending)
            for matrix in pending.frames:
                crops.append(warp(image, matrix, self.spec.size))
                jobs.append(pending)
                if len(crops) == self.batch:
                    self._run(crops, jobs)
                    crops, jobs = [], []
            while waiting and waiting[0].complete:
                yield self._finished(waiting.pop(0))
        if crops:
            self._run(crops, jobs)
        yield from map(self._finished, waiting)

    def _framed(self, image: Image, boxes: Boxes | None, number: int) -> _Pending:
        shape = (image.shape[0], image.shape[1])
        checked = checked_boxes(boxes, shape, number) if self.needs_boxes else None
        return _Pending(checked, self.spec.framing.frames(shape, checked, self.spec.size))

    def _run(self, crops: list[Image], jobs: list[_Pending]) -> None:
        """Poses of some crops or views, in pixels of their images."""
        poses = self.engine(np.stack(crops))
        for number, pending in enumerate(jobs):
            here, frame = poses[number], len(pending.found)
            if not self.needs_boxes:
                # Low scores are dropped first, which saves comparisons.
                here = here[here.instance_score >= self.spec.nms.score_threshold]
                here = own_poses(here, pending.frames, frame, self.spec.size)
            pending.found.append(here.transformed(invert(pending.frames[frame])))

    def _finished(self, pending: _Pending) -> Poses:
        """The final poses of an image of which all crops or views have been predicted."""
        spec = self.spec
        if pending.boxes is not None:
            poses = Poses.concatenate(pending.found) if pending.found else Poses.empty(len(spec.skeleton.points))
            return calibrated(replace(poses, boxes=pending.boxes.astype(np.float32)), spec.calibration, instances=True)
        nms = spec.nms if len(pending.found) == 1 else across_views(spec.nms)
        if spec.nms_in_graph:
            nms = replace(nms, method="none")
        poses = nms(Poses.concatenate(pending.found), spec.skeleton.oks_sigmas)
        if spec.rescorer is not None:
            poses = spec.rescorer(poses)
        # The score of an instance is that of its detection, not of its points: it is not calibrated.
        return calibrated(poses, spec.calibration, instances=False)


def calibrated(poses: Poses, calibration: Calibration | None, *, instances: bool) -> Poses:
    """The same points with calibrated scores.

    Args:
        poses: NumPy arrays.
        calibration: ``None`` changes nothing.
        instances: the score of an instance becomes the mean score of its points, as in codecs of one instance.
    """
    if calibration is None:
        return poses
    score = calibration.apply(poses.score)
    return replace(poses, score=score, instance_score=score.mean(-1) if instances else poses.instance_score)
