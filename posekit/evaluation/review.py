"""Labels beside what a model says of them: which to look at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.data.agreement import Agreement
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.predictions import Predictions, to_files
from posekit.data.renaming import shared_points
from posekit.evaluation.measure import predicted
from posekit.pipelines.predictor import PosePredictor
from posekit.transforms.geometric import Placement, place
from posekit.visualize.draw import draw_poses

Image = NDArray[np.uint8]
CELL = (256, 256)
WIDE = 1.6
"""Context around the box on the sheet: labels that lie outside are seen too."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One instance that labels and predictions tell differently.

    Args:
        index: among the trainable instances of the set.
        annotation: its id in the label file.
        image: path of the image.
        kind: "swapped", "opposed" or "outlier", as `Agreement` has them.
        points: names of the points in question.
        distance: the largest of those points, in longer sides of the box.
    """

    index: int
    annotation: int
    image: str
    kind: str
    points: tuple[str, ...]
    distance: float


def predictions_of(predictor: PosePredictor, dataset: Dataset) -> Predictions:
    """What a model says of each trainable instance of a set; points of the same name are the same.

    Raises:
        DataError: model and set share too few names, or the model is not shown boxes.
    """
    if not predictor.needs_boxes:
        raise DataError(f"{predictor.name}: labels are reviewed by a model that is shown a box for each instance")
    order = shared_points(predictor.skeleton, dataset.skeleton, predictor.name)
    poses = predicted(predictor, dataset, progress=True)
    there = order >= 0
    return Predictions(to_files(dataset, poses.xy[:, order]) * there[:, None], poses.score[:, order] * there)


def doubts(dataset: Dataset, found: Agreement) -> list[Doubt]:
    """Every instance in question, the furthest first; a swapped one is told once, as that."""
    names, sided = dataset.skeleton.points, np.arange(len(dataset.skeleton.points)) != np.array(dataset.skeleton.flip)
    images, rows = dataset.image_of_instance(), dataset.rows
    told: list[Doubt] = []
    for index in np.flatnonzero(found.swapped | found.opposed | found.outlier.any(1)):
        distance = np.nan_to_num(found.distance[index])
        if found.swapped[index]:
            kind, which = "swapped", sided & (distance > 0)
        elif found.opposed[index]:
            kind, which = "opposed", distance > found.apart
        else:
            kind, which = "outlier", found.outlier[index]
        told.append(
            Doubt(
                index=int(index),
                annotation=int(dataset.annotation_id[rows[index]]),
                image=dataset.images[images[index]].path,
                kind=kind,
                points=tuple(name for name, asked in zip(names, which, strict=True) if asked),
                distance=float(distance[which].max(initial=0.0)),
            )
        )
    return sorted(told, key=lambda doubt: -doubt.distance)


def drawn(dataset: Dataset, predictions: Predictions, doubt: Doubt, score_threshold: float) -> tuple[Image, Image]:
    """The instance with its labels, and with what was predicted."""
    sample = dataset.instance(doubt.index)
    crop = place(sample, Placement(sample.instances.boxes[0], padding=WIDE), CELL, dataset.skeleton)
    points = crop.instances.keypoints
    labels = draw_poses(crop.image, points.xy, points.labelled.astype(float), dataset.skeleton, threshold=0.5)
    to_crop = np.linalg.inv(crop.to_source)
    xy = predictions.xy[doubt.index] @ to_crop[:2, :2].T + to_crop[:2, 2]
    score = predictions.score[doubt.index]
    return labels, draw_poses(crop.image, xy[None], score[None], dataset.skeleton, threshold=score_threshold)
