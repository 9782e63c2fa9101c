"""Images to poses by one model: frame, run the network, put the points back into the image, keep the best.

Everything around the network is here, in NumPy and OpenCV; the network is an `Engine` of any runtime.
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
"""An image, a file of one, or several of either."""


class PosePredictor(Protocol):
    """What finds poses in images: a `Predictor`, a `Chain` of two, or a cascade."""

    @property
    def name(self) -> str:
        """For messages and files."""
        ...

    @property
    def skeleton(self) -> Skeleton:
        """Of the points that it finds."""
        ...

    @property
    def needs_boxes(self) -> bool:
        """Whether it is shown a box for each instance, and does not find instances itself."""
        ...

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """One `Poses` an image."""
        ...

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """One `Poses` an image, while images come."""
        ...


@dataclass(eq=False)
class _Pending:
    """An image whose frames have not all been through the network yet."""

    boxes: NDArray[np.float64] | None
    frames: list[Matrix]
    found: list[Poses] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return len(self.found) == len(self.frames)


class Predictor:
    """A model, ready to be called with images.

    Args:
        engine: runs the network; its spec says how images are framed and what is done with the poses.
        batch: crops, or views of full images, that the network sees at once.

    >>> find = posekit.load("runs/mine")     # doctest: +SKIP
    >>> poses = find("photo.jpg")[0]         # doctest: +SKIP
    """

    def __init__(self, engine: Engine, batch: int = 32) -> None:
        if batch < 1:
            raise ValueError(f"a batch is at least one image; got {batch}")
        self.engine, self.batch = engine, batch

    @property
    def spec(self) -> InferenceSpec:
        """What the model says of itself."""
        return self.engine.spec

    @property
    def name(self) -> str:
        """Of the model."""
        return self.spec.name

    @property
    def skeleton(self) -> Skeleton:
        """Of the points that it finds."""
        return self.spec.skeleton

    @property
    def needs_boxes(self) -> bool:
        """Whether it is shown a box for each instance; without boxes the image is one box."""
        return self.spec.needs_boxes

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
            images: RGB uint8 (H, W, 3) of any size, a file of one, or a list of either.
            boxes: for a model that is shown boxes: for each image (N, 4) x0 y0 x1 y1 in its pixels, or one such array
                for a single image; ``None`` takes each image as one box. Must be ``None`` for other models.

        Returns:
            For each image `Poses` of NumPy arrays in its pixels: one instance a box in the order given, with ``boxes``
            set; or everyone that was found, the best first.

        Raises:
            ValueError: an image or a box is not what it should be; the message names its number.
            DataError: a file cannot be read.
        """
        many, boxes = images_of(images, boxes)
        if boxes is not None and not self.needs_boxes:
            raise ValueError(f"{self.spec.name} finds instances by itself: leave out the boxes")
        return list(self.stream((image_of(image, number) for number, image in enumerate(many)), boxes))

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """As a call, for images that come one after another; few of them are held at once.

        Args:
            images: RGB uint8 (H, W, 3).
            boxes: for each image (N, 4), or ``None``.

        Yields:
            One `Poses` an image, in order, as soon as its frames have filled a batch.
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
        """Poses of some frames, in the pixels of their images."""
        poses = self.engine(np.stack(crops))
        for number, pending in enumerate(jobs):
            here, frame = poses[number], len(pending.found)
            if not self.needs_boxes:
                # Weak ones go before anything is compared with anything.
                here = here[here.instance_score >= self.spec.nms.score_threshold]
                here = own_poses(here, pending.frames, frame, self.spec.size)
            pending.found.append(here.transformed(invert(pending.frames[frame])))

    def _finished(self, pending: _Pending) -> Poses:
        """What is said of an image whose frames have all been looked at."""
        spec = self.spec
        if pending.boxes is not None:
            poses = Poses.concatenate(pending.found) if pending.found else Poses.empty(len(spec.skeleton.points))
            return calibrated(replace(poses, boxes=pending.boxes.astype(np.float32)), spec.calibration, instances=True)
        nms = spec.nms if len(pending.found) == 1 else across_views(spec.nms)
        poses = nms(Poses.concatenate(pending.found), spec.skeleton.oks_sigmas)
        if spec.rescorer is not None:
            poses = spec.rescorer(poses)
        # An instance's score says that someone is there: no matter of where the points are.
        return calibrated(poses, spec.calibration, instances=False)


def calibrated(poses: Poses, calibration: Calibration | None, *, instances: bool) -> Poses:
    """The same points with calibrated scores.

    Args:
        poses: NumPy arrays.
        calibration: ``None`` changes nothing.
        instances: an instance's score becomes the mean of its points', as codecs of one instance have it.
    """
    if calibration is None:
        return poses
    score = calibration.apply(poses.score)
    return replace(poses, score=score, instance_score=score.mean(-1) if instances else poses.instance_score)
