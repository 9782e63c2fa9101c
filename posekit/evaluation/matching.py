"""Match poses found in full images with the labelled instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco import to_content, to_results
from posekit.data.dataset import Dataset
from posekit.geometry.keypoints import Poses
from posekit.metrics.coco_ap import coco_ap
from posekit.metrics.similarity import oks

Float = NDArray[np.floating]


def precision(everyone: Sequence[Poses], dataset: Dataset) -> dict[str, float]:
    """COCO's AP and AR of the poses found in each image; crowd regions and unlabelled instances are ignored."""
    # Sets joined from several files may number their images alike.
    images = tuple(replace(record, id=number) for number, record in enumerate(dataset.images))
    truth = to_content(replace(dataset, images=images), Path())
    results = [entry for i, poses in enumerate(everyone) for entry in to_results(poses, i, dataset.category_id)]
    return coco_ap(truth, results, dataset.skeleton.oks_sigmas)


def matched(everyone: Sequence[Poses], dataset: Dataset) -> Poses:
    """For each labelled instance the pose with the highest OKS; each pose goes to one instance.

    Returns:
        Poses (M, K) in the order of the set, with ``visible`` if the model gives it; an instance without a pose gets
        points in the centre of its box, with score 0 and ``visible`` NaN.
    """
    rows = dataset.rows
    boxes = dataset.boxes[rows]
    points = len(dataset.skeleton.points)
    xy = np.repeat(((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None], points, axis=1)
    score = np.zeros((len(rows), points))
    visible = np.full((len(rows), points), np.nan)
    images = dataset.image_of_instance()
    for image in np.unique(images):
        poses, here = everyone[image], np.flatnonzero(images == image)
        if not len(poses):
            continue
        alike = _likeness(poses, dataset, rows[here])
        for _ in range(min(alike.shape)):
            who, which = np.unravel_index(int(alike.argmax()), alike.shape)
            if alike[who, which] <= 0:
                break
            xy[here[who]], score[here[who]] = poses.xy[which], poses.score[which]
            if poses.visible is not None:
                visible[here[who]] = poses.visible[which]
            alike[who], alike[:, which] = -1.0, -1.0
    given = any(poses.visible is not None for poses in everyone)
    return Poses(xy, score, score.mean(-1), visible=visible if given else None)


def _likeness(poses: Poses, dataset: Dataset, rows: NDArray[np.intp]) -> Float:
    """(M, N) OKS of each labelled instance of one image with each pose."""
    m, n = len(rows), len(poses)
    truth, labelled = dataset.xy[rows], dataset.visibility[rows] > 0
    value = oks(
        np.tile(poses.xy, (m, 1, 1)),
        np.repeat(truth, n, axis=0),
        np.repeat(labelled, n, axis=0),
        np.repeat(np.maximum(dataset.area[rows], 1.0), n),
        dataset.skeleton.oks_sigmas,
    )
    return np.nan_to_num(value).reshape(m, n)
