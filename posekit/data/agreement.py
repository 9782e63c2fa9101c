"""Compare labels with predictions: swapped left and right, and outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.predictions import Predictions, in_files
from posekit.geometry.boxes import extent

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Comparison of labels and predictions for the trainable instances of a data set.

    Args:
        distance: (len, K) from label to prediction, as a fraction of the longer side of the box; NaN where not
            compared.
        swapped: (len,) bool, left and right are swapped in the label.
        outlier: (len, K) bool, the label (with left and right corrected) is far from the prediction.
        opposed: (len,) bool, half or more of the points are far from the predictions: either the labels or the
            predictions of the instance are wrong.
        apart: distance above which a label counts as an outlier, as a fraction of the longer side of the box.
    """

    distance: Array
    swapped: Array
    outlier: Array
    opposed: Array
    apart: float

    def trust(self, weight: float) -> Array:
        """(len, K) float32: ``weight`` for outliers and 1 for all other labels."""
        return np.where(self.outlier, weight, 1.0).astype(np.float32)


def agreement(
    dataset: Dataset,
    predictions: Predictions,
    *,
    score_threshold: float = 0.3,
    factor: float = 2.0,
    pairs: int = 2,
    apart: float = 0.2,
) -> Agreement:
    """Compare labels with predictions.

    An instance is swapped if exchanging left and right brings its points ``factor`` times nearer to the predictions and
    within ``apart``. If half or more of the points of an instance are far from the predictions, the predictions are not
    trusted: none of these points is an outlier.

    Args:
        dataset: labelled.
        predictions: of its trainable instances.
        score_threshold: predicted points with a lower score are not compared.
        factor: how many times nearer the swapped points must be.
        pairs: smallest number of mirror pairs, both points labelled and predicted, that is needed to detect a swap.
        apart: distance of an outlier, as a fraction of the longer side of the box.

    Raises:
        ValueError: ``factor`` is below 1, or the numbers of predictions and instances differ.
    """
    if factor < 1:
        raise ValueError(f"expected a factor of at least 1; got {factor}")
    if len(predictions) != len(dataset):
        raise ValueError(f"{len(dataset)} instances were labelled and {len(predictions)} predicted; give each its own")
    labels, flip = in_files(dataset), list(dataset.skeleton.flip)
    known, sure = dataset.visibility[dataset.rows] > 0, predictions.score >= score_threshold
    side = _sides(dataset)
    straight = _distance(labels, predictions.xy, side)
    crossed = _distance(labels[:, flip], predictions.xy, side)
    mirrored = np.array(flip) != np.arange(len(flip))
    told = known & known[:, flip] & sure & sure[:, flip] & mirrored
    enough = told.sum(1) >= 2 * pairs
    plain, traded = (_mean(distance, told) for distance in (straight, crossed))
    swapped = enough & (traded * factor < plain) & (traded <= apart)
    after = np.where(swapped[:, None], crossed, straight)
    compared = sure & np.where(swapped[:, None], known[:, flip], known)
    far = compared & (after > apart)
    opposed = far.any(1) & (2 * far.sum(1) >= compared.sum(1))
    return Agreement(
        distance=np.where(sure & known, straight, np.nan),
        swapped=swapped,
        outlier=far & ~opposed[:, None],
        opposed=opposed,
        apart=apart,
    )


def _sides(dataset: Dataset) -> Array:
    """(len,) longer sides of the boxes, in pixels of the images' files as far as a scale can say."""
    longer = extent(dataset.boxes[dataset.rows]).max(-1)
    scale = [
        1.0 if (matrix := dataset.images[i].to_source) is None else abs(float(np.linalg.det(matrix[:2, :2]))) ** 0.5
        for i in dataset.image_of_instance()
    ]
    sides: Array = np.maximum(longer * np.array(scale), 1e-9)
    return sides


def _distance(a: Array, b: Array, side: Array) -> Array:
    return np.asarray(np.linalg.norm(a - b, axis=-1) / side[:, None])


def _mean(distance: Array, told: Array) -> Array:
    """(len,) mean over the given values; 0 where there are none."""
    return np.asarray(np.where(told, distance, 0).sum(1) / np.maximum(told.sum(1), 1))


def repaired(dataset: Dataset, found: Agreement) -> Dataset:
    """The same set with swapped left and right corrected, and a note with their number."""
    rows = dataset.rows[found.swapped]
    flip = list(dataset.skeleton.flip)
    changed: dict[str, Any] = {}
    for name in ("xy", "visibility", "depth", "depth_known"):
        column = getattr(dataset, name)
        if column is not None:
            changed[name] = column.copy()
            changed[name][rows] = column[rows][:, flip]
    said = f"left and right corrected in {len(rows)} of {len(dataset)} instances, according to the predictions"
    return replace(dataset, inferred=(*dataset.inferred, said), **changed)
