"""A calibration of a measured network's scores: fitted on one half of the images, measured on the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.evaluation.measure import Measured
from posekit.metrics import points
from posekit.metrics.calibration import Calibration, Reliability, fit, found, reliability, unit_of
from posekit.metrics.protocols import Comparison


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A calibration, and what it does on images that it was not fitted on.

    Args:
        calibration: of the scores as the codec gives them.
        before: the other half's points with the codec's scores.
        after: the same points with calibrated scores.
        fitted: points that it was fitted on.
    """

    calibration: Calibration
    before: Reliability
    after: Reliability
    fitted: int


def calibrate(measured: Measured, dataset: Dataset, threshold: float | None = None) -> Calibrated:
    """Fit on the images of one half and measure on the other.

    Args:
        measured: predictions for the set, with the scores that the codec gives.
        dataset: labelled.
        threshold: error below which a point is correct, in the unit of the measurement's main figure
            (`posekit.metrics.calibration.unit_of`); ``None`` takes the unit's own.

    Raises:
        ValueError: a half has no point whose error is known, or the threshold is not positive.
    """
    unit = unit_of(measured.main)
    limit = unit.threshold if threshold is None else threshold
    right, counted = found(_comparison(measured, dataset), unit, limit)
    first = first_half(dataset)[:, None]
    halves = counted & first, counted & ~first
    sizes = [int(half.sum()) for half in halves]
    if not all(sizes):
        raise ValueError(
            f"calibration fits on the images with even ids and is measured on those with odd ids: they have "
            f"{sizes[0]} and {sizes[1]} labelled points in instances where {unit.about} is known; give more images"
        )
    meaning = f"error below {limit:g} of {unit.about}"
    calibration = fit(measured.score[halves[0]], right[halves[0]], meaning)
    score, truth = measured.score[halves[1]], right[halves[1]]
    return Calibrated(calibration, reliability(score, truth), reliability(calibration.apply(score), truth), sizes[0])


def first_half(dataset: Dataset) -> NDArray[np.bool_]:
    """(len,) which instances lie in images with an even id.

    If all ids are even, or all odd, every other image in the order of the ids; the halves never share an image.
    """
    ids = np.array([dataset.images[i].id for i in dataset.image_of_instance()], np.int64)
    even = ids % 2 == 0
    if even.all() or not even.any():
        even = np.unique(ids, return_inverse=True)[1] % 2 == 0
    return np.asarray(even)


def _comparison(measured: Measured, dataset: Dataset) -> Comparison:
    rows = dataset.rows
    truth = dataset.xy[rows]
    return Comparison(
        xy=measured.xy,
        truth=truth,
        labelled=measured.labelled,
        boxes=dataset.boxes[rows],
        area=dataset.area[rows],
        skeleton=dataset.skeleton,
        errors=points.errors(measured.xy, truth),
    )
