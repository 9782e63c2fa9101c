"""The result of `posekit.predict`: poses of many images, and writers for them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from posekit.data.coco import to_results
from posekit.data.table_columns import COLUMNS, MORE_COLUMNS
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton


@dataclass(frozen=True)
class DrawnPoints:
    """How many points and instances are in the drawings.

    Args:
        instances: that were drawn; others are below the score threshold of instances.
        points: of the instances that were drawn.
        rings: of these, points below the score threshold that are drawn as rings.
        hidden: of these, points further below it that are not drawn.
    """

    instances: int = 0
    points: int = 0
    rings: int = 0
    hidden: int = 0


@dataclass(frozen=True, eq=False)
class PredictedImage:
    """The poses found in one image.

    Args:
        path: of the image.
        image_id: its id in the box file, or its position from 1.
        height: of the image, pixels.
        width: of the image, pixels.
        poses: (N, K) in its pixels.
        drawing: file of the drawing, if there is one.
    """

    path: Path
    image_id: int
    height: int
    width: int
    poses: Poses
    drawing: Path | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """The poses found in many images: a sequence of `PredictedImage`, which can be written to files.

    Args:
        model: name given by the user.
        skeleton: of the points.
        images: results of the readable images, in order.
        faults: messages on what was left out: unreadable images, boxes without extent.
        notes: other messages, such as on images that the box file does not list.
        unread: number of unreadable images.
        drawn: number of points and instances in the drawings.
    """

    model: str
    skeleton: Skeleton
    images: tuple[PredictedImage, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: int = 0
    drawn: DrawnPoints = DrawnPoints()

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[PredictedImage]:
        return iter(self.images)

    @overload
    def __getitem__(self, index: int) -> PredictedImage: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[PredictedImage, ...]: ...

    def __getitem__(self, index: int | slice) -> PredictedImage | tuple[PredictedImage, ...]:
        return self.images[index]

    def __repr__(self) -> str:
        return f"Predictions({self.instances} instances in {len(self)} images, model {self.model!r})"

    @property
    def instances(self) -> int:
        """Number of instances in all images."""
        return sum(len(image.poses) for image in self.images)

    def to_results(self) -> list[dict[str, Any]]:
        """COCO's results, one entry for each instance, with extra fields that make each entry self-contained.

        Beside COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y, score of each point; pixel indices), ``score``
        and ``bbox``: ``point_names``, ``file_name``, ``path``, ``width``, ``height``, ``model``, and ``visible``, the
        probability of each point to be seen rather than hidden, if the model gives it.
        """
        names = list(self.skeleton.points)
        return [
            {
                **entry,
                **_visible(image.poses, number),
                "point_names": names,
                "file_name": image.path.name,
                "path": str(image.path),
                "width": image.width,
                "height": image.height,
                "model": self.model,
            }
            for image in self.images
            for number, entry in enumerate(to_results(image.poses, image.image_id))
        ]

    def write_json(self, file: str | Path) -> Path:
        """Write `to_results`; the file appears when it is complete."""
        return _written(Path(file), json.dumps(self.to_results()) + "\n")

    def write_csv(self, file: str | Path) -> Path:
        """Write one row for each point.

        Coordinates are continuous pixels (the centre of the first is 0.5), so they are 0.5 larger than those of
        `to_results`, which are pixel indices. The columns of `MORE_COLUMNS` are written if the model gives them.
        """
        file = Path(file)
        more = [field for field in MORE_COLUMNS if any(getattr(image.poses, field) is not None for image in self)]
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.tmp")
        with beside.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow([*COLUMNS, *(column for field in more for column in MORE_COLUMNS[field])])
            for image in self.images:
                writer.writerows(_rows(image, self.skeleton, more))
        beside.replace(file)
        return file


def _visible(poses: Poses, number: int) -> dict[str, list[float]]:
    """``visible`` of one instance, if the poses have it."""
    return {} if poses.visible is None else {"visible": poses.visible[number].astype(float).round(4).tolist()}


def _rows(image: PredictedImage, skeleton: Skeleton, more: Sequence[str]) -> Iterator[list[Any]]:
    for number, instance in enumerate(image.poses.to_dict(skeleton)):
        box = [f"{value:.2f}" for value in instance.get("box", [])] or [""] * 4
        head = [str(image.path), image.image_id, number, f"{instance['score']:.5f}", *box]
        for name, point in instance["points"].items():
            extra = [value for field in more for value in _columns(point.get(field), len(MORE_COLUMNS[field]))]
            yield [*head, name, f"{point['x']:.3f}", f"{point['y']:.3f}", f"{point['score']:.5f}", *extra]


def _columns(value: float | Sequence[float] | None, count: int) -> list[str]:
    """The cells of one field; empty where it is not known."""
    if value is None:
        return [""] * count
    return [f"{number:.4f}" for number in (value if isinstance(value, Sequence) else (value,))]


def _written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
    return file
