"""A predictor whose points are mapped to another skeleton."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from posekit.geometry.keypoints import Poses
from posekit.geometry.mapping import map_points
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.images import Boxes, Image
from posekit.pipelines.predictor import Images, PosePredictor


class Mapped:
    """The poses of a predictor with the points of another skeleton.

    Args:
        predictor: finds the poses.
        target: skeleton with the points that are wanted.

    Raises:
        ValueError: a point of ``target`` cannot be made from the predictor's points.
    """

    def __init__(self, predictor: PosePredictor, target: Skeleton) -> None:
        self.predictor = predictor
        self.map = map_points(predictor.skeleton, target)

    @property
    def name(self) -> str:
        """Of the predictor."""
        return self.predictor.name

    @property
    def skeleton(self) -> Skeleton:
        """The target."""
        return self.map.target

    @property
    def needs_boxes(self) -> bool:
        """As the predictor."""
        return self.predictor.needs_boxes

    @property
    def instance_threshold(self) -> float:
        """As the predictor."""
        return self.predictor.instance_threshold

    def __repr__(self) -> str:
        return f"Mapped({self.predictor!r}, {self.skeleton.name!r})"

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """As the predictor, with mapped points."""
        return [self.map(poses) for poses in self.predictor(images, boxes)]

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """As the predictor, with mapped points."""
        return map(self.map, self.predictor.stream(images, boxes))
