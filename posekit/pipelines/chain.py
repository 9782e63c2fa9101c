"""Two-stage prediction: one model finds instances, another finds the points of each in a crop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import around, usable
from posekit.geometry.keypoints import Poses
from posekit.geometry.parts import part_boxes
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.images import Boxes, Image, image_of, images_of
from posekit.pipelines.predictor import Images, PosePredictor

CLEAR = 0.2
"""Points of the first model with at least this score enlarge its box."""

POINTS = 0.4
"""Mean score of the points of a person who is cut off by the image; the score of a chain is lower by so much."""


class Chain:
    """A finder followed by a model of crops.

    The score of an instance is the score of the finder times the mean score of its points.

    Args:
        finder: finds instances in full images, with boxes or points.
        pose: takes a box for each instance.
        holding: images held in memory.
        score_threshold: instances with a lower score of the finder are left out, which saves their crops. Their own
            score would be lower still, so all instances with at least this score are found.

    Raises:
        ValueError: the first model needs boxes, or the second does not.
    """

    def __init__(
        self, finder: PosePredictor, pose: PosePredictor, holding: int = 16, score_threshold: float = 0.0
    ) -> None:
        if finder.needs_boxes or not pose.needs_boxes:
            raise ValueError(
                "a chain is a model that finds instances, then one that takes boxes; got "
                f"{finder.name}, then {pose.name}"
            )
        self.finder, self.pose, self.holding, self.score_threshold = finder, pose, holding, score_threshold

    @property
    def name(self) -> str:
        """Names of both models."""
        return f"{self.finder.name}+{self.pose.name}"

    @property
    def skeleton(self) -> Skeleton:
        """Skeleton of the second model."""
        return self.pose.skeleton

    @property
    def needs_boxes(self) -> bool:
        """False: the first model finds the instances."""
        return False

    @property
    def instance_threshold(self) -> float:
        """Score from which an instance counts as found: that of the finder times what the points of people score."""
        return self.finder.instance_threshold * POINTS

    def __repr__(self) -> str:
        return f"Chain({self.finder!r}, {self.pose!r})"

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """Find all instances and their points; see `Predictor.__call__`.

        Raises:
            ValueError: an image is invalid, or boxes are given.
            DataError: a file cannot be read.
        """
        if boxes is not None:
            raise ValueError("a chain finds instances itself: leave out the boxes, or load only its second model")
        many, _ = images_of(images, None)
        return list(self.stream(image_of(image, number) for number, image in enumerate(many)))

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """Like a call, for a stream of images."""
        chunk: list[Image] = []
        for image in images:
            chunk.append(image)
            if len(chunk) == self.holding:
                yield from self._found(chunk)
                chunk = []
        yield from self._found(chunk)

    def _boxes(self, poses: Poses) -> NDArray[np.float64]:
        """What the second model is shown, as many boxes for each instance as it has such parts."""
        rule = part_boxes(self.finder.skeleton, self.pose.skeleton)
        return enlarged_boxes(poses) if rule is None else rule(poses, self.finder.skeleton)

    def _found(self, images: list[Image]) -> Iterator[Poses]:
        found = [poses[poses.instance_score >= self.score_threshold] for poses in self.finder.stream(images)]
        boxes = [self._boxes(poses) for poses in found]
        kept = [usable(per) for per in boxes]
        read = self.pose.stream(images, [per[keep] for per, keep in zip(boxes, kept, strict=True)])
        for first, keep, second in zip(found, kept, read, strict=True):
            parts = len(keep) // max(len(first), 1)
            score = np.repeat(first.instance_score, parts)[keep] * second.score.mean(-1)
            poses = replace(second, instance_score=score.astype(second.score.dtype), ids=None)
            yield poses[np.argsort(-poses.instance_score, kind="stable")]


def enlarged_boxes(poses: Poses) -> NDArray[np.float64]:
    """The box of each instance, enlarged to hold points with a high score.

    Args:
        poses: (N, K) of one image.

    Returns:
        (N, 4) x0 y0 x1 y1; without boxes, those around the points with a high score, or zeros if there is none.
    """
    clear = (poses.score >= CLEAR) & np.isfinite(poses.xy).all(-1)
    points = around(poses.xy.astype(np.float64), clear)
    boxes: Any = points if poses.boxes is None else poses.boxes.astype(np.float64)
    both = np.concatenate([np.minimum(boxes[:, :2], points[:, :2]), np.maximum(boxes[:, 2:], points[:, 2:])], -1)
    return np.where(clear.any(-1)[:, None], both, boxes)
