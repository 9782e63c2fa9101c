"""The result of `posekit.predict`: poses of many images, and writers for them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.data.coco import to_results
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

COLUMNS = (
    *("path", "image_id", "instance", "instance_score", "x0", "y0", "x1", "y1"),
    *("point", "x", "y", "score", "visible", "spread_x", "spread_y", "depth"),
)


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


@dataclass(frozen=True, eq=False)
class Predictions:
    """The poses found in many images; iterate over it, or write it to a file.

    Args:
        model: name given by the user.
        skeleton: of the points.
        images: results of the readable images, in order.
        faults: messages on what was left out: unreadable images, boxes without extent.
        notes: other messages, such as on images that the box file does not list.
        unread: number of unreadable images.
    """

    model: str
    skeleton: Skeleton
    images: tuple[PredictedImage, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[PredictedImage]:
        return iter(self.images)

    @property
    def instances(self) -> int:
        """Number of instances in all images."""
        return sum(len(image.poses) for image in self.images)

    def to_results(self) -> list[dict[str, Any]]:
        """COCO's results, one entry for each instance, with extra fields that make each entry self-contained.

        Beside COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y, score of each point; pixel indices), ``score``
        and ``bbox``: ``point_names``, ``file_name``, ``path``, ``width``, ``height``, ``model``.
        """
        names = list(self.skeleton.points)
        return [
            {
                **entry,
                "point_names": names,
                "file_name": image.path.name,
                "path": str(image.path),
                "width": image.width,
                "height": image.height,
                "model": self.model,
            }
            for image in self.images
            for entry in to_results(image.poses, image.image_id)
        ]

    def write_json(self, file: Path) -> Path:
        """Write `to_results`; the file appears when it is complete."""
        return _written(file, json.dumps(self.to_results()) + "\n")

    def write_csv(self, file: Path) -> Path:
        """Write one row for each point, coordinates in continuous pixels (the centre of the first is 0.5)."""
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.tmp")
        with beside.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for image in self.images:
                writer.writerows(_rows(image, self.skeleton))
        beside.replace(file)
        return file


def _rows(image: PredictedImage, skeleton: Skeleton) -> Iterator[list[Any]]:
    for number, instance in enumerate(image.poses.to_dict(skeleton)):
        box = [f"{value:.2f}" for value in instance.get("box", [])] or [""] * 4
        head = [str(image.path), image.image_id, number, f"{instance['score']:.5f}", *box]
        for name, point in instance["points"].items():
            spread = point.get("spread")
            more = [point.get("visible"), *(spread or (None, None)), point.get("depth")]
            told = ["" if value is None else f"{value:.4f}" for value in more]
            yield [*head, name, f"{point['x']:.3f}", f"{point['y']:.3f}", f"{point['score']:.5f}", *told]


def _written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
    return file
