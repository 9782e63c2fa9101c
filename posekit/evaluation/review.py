"""Find labels that differ from a model's predictions, the most different first."""

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
"""Context around the box in the drawing, so that labels outside the box are visible."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One instance for which labels and predictions differ.

    Args:
        index: of the trainable instance in the set.
        annotation: its id in the label file.
        image: path of the image.
        kind: "swapped", "opposed" or "outlier", as `Agreement` has them.
        points: names of the doubtful points.
        distance: the largest of those points, as a fraction of the longer side of the box.
    """

    index: int
    annotation: int
    image: str
    kind: str
    points: tuple[str, ...]
    distance: float


def predictions_of(predictor: PosePredictor, dataset: Dataset) -> Predictions:
    """Predictions of a model for each trainable instance of a set; points are matched by name.

    Raises:
        DataError: model and set share too few names, or the model does not take boxes.
    """
    if not predictor.needs_boxes:
        raise DataError(f"{predictor.name}: labels can only be reviewed by a model that takes boxes")
    order = shared_points(predictor.skeleton, dataset.skeleton, predictor.name)
    poses = predicted(predictor, dataset, progress=True)
    there = order >= 0
    return Predictions(to_files(dataset, poses.xy[:, order]) * there[:, None], poses.score[:, order] * there)


def doubts(dataset: Dataset, found: Agreement) -> list[Doubt]:
    """All doubtful instances, the largest distance first; a swapped one is listed only as swapped."""
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
    """Two drawings of the instance: with its labels and with the predictions."""
    sample = dataset.instance(doubt.index)
    crop = place(sample, Placement(sample.instances.boxes[0], padding=WIDE), CELL, dataset.skeleton)
    points = crop.instances.keypoints
    labels = draw_poses(crop.image, points.xy, points.labelled.astype(float), dataset.skeleton, threshold=0.5)
    to_crop = np.linalg.inv(crop.to_source)
    xy = predictions.xy[doubt.index] @ to_crop[:2, :2].T + to_crop[:2, 2]
    score = predictions.score[doubt.index]
    return labels, draw_poses(crop.image, xy[None], score[None], dataset.skeleton, threshold=score_threshold)
