"""Recall, false detections and point error of a face cascade on labelled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.face_windows import Faces, covered
from posekit.geometry.boxes import area, iou
from posekit.geometry.keypoints import Poses
from posekit.pipelines.mtcnn.cascade import MTCNN

OVERLAP = 0.5
"""IoU with the labelled box from which on a face counts as found."""


def measure_faces(finder: MTCNN, dataset: Dataset) -> dict[str, float]:
    """Compare the detections of a cascade with the labels.

    Args:
        finder: the cascade; labelled faces below its smallest size are ignored.
        dataset: of faces.

    Returns:
        ``recall``, the share of faces found; ``false_per_image``, detections that match no face and do not lie in a
        region to ignore; ``points_error``, the mean distance of the points of the faces found, as a fraction of the
        square root of the face's area; NaN without faces or detections. ``faces`` is their number.
    """
    faces, false, errors = [], 0, []
    for image in range(dataset.scenes):
        sample = dataset.scene(image)
        truth = Faces.of(sample, finder.config.smallest)
        (found,) = finder([sample.image])
        boxes = np.asarray(found.boxes, np.float64)
        match = matched(boxes, truth)
        faces.append(match >= 0)
        others = np.setdiff1d(np.arange(len(found)), match)
        false += int((covered(boxes[others], truth.ignore) <= OVERLAP).sum())
        errors.append(_distances(found, truth, match))
    all_faces, all_errors = np.concatenate(faces), np.concatenate(errors)
    return {
        "recall": float(all_faces.mean()) if len(all_faces) else float("nan"),
        "false_per_image": false / max(dataset.scenes, 1),
        "points_error": float(all_errors.mean()) if len(all_errors) else float("nan"),
        "faces": float(len(all_faces)),
    }


def matched(boxes: NDArray[np.float64], truth: Faces) -> NDArray[np.int64]:
    """For each labelled face (M,) the index of the detection with the highest IoU, at least `OVERLAP`; else -1.

    A detection that is the best of two faces goes to the one with the higher IoU.
    """
    match = np.full(len(truth.boxes), -1)
    if not len(boxes) or not len(match):
        return match
    overlap = iou(truth.boxes, boxes)
    mutual = overlap.argmax(0)[overlap.argmax(1)] == np.arange(len(match))
    good = mutual & (overlap.max(1) >= OVERLAP)
    match[good] = overlap.argmax(1)[good]
    return match


def _distances(found: Poses, truth: Faces, match: NDArray[np.int64]) -> NDArray[np.float64]:
    """Errors of the labelled points of the found faces, as fractions of the square root of the face's area."""
    good = match >= 0
    distance = np.linalg.norm(found.xy[match[good]] - truth.xy[good], axis=-1)
    size = np.sqrt(area(truth.boxes[good]))[:, None]
    return np.asarray((distance / size)[truth.labelled[good]], np.float64)
