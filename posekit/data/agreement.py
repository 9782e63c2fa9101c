"""Where labels and a model's predictions disagree: sides that were swapped, and points that lie elsewhere."""

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
    """What predictions say of the labels of a set's trainable instances.

    Args:
        distance: (len, K) from label to prediction as labelled, in longer sides of the box; NaN where not compared.
        swapped: (len,) bool, left and right trade places in the label.
        outlier: (len, K) bool, the label, its sides put right, lies elsewhere.
        opposed: (len,) bool, half or more of an instance's points lie elsewhere: either the labels are wrong
            throughout or the predictions are, and nobody can say which without looking.
        apart: the distance beyond which a label lies elsewhere, in longer sides of the box.
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

    An instance is swapped where its mirrored points are ``factor`` times nearer to the predictions once left and right
    trade places, and near then (``apart``). A model that contradicts half or more of an instance's points is not
    believed about it: none of them is an outlier.

    Args:
        dataset: labelled.
        predictions: of its trainable instances.
        score_threshold: least score of a prediction that counts.
        factor: how many times nearer.
        pairs: least mirror pairs, both ends labelled and predicted, that tell sides.
        apart: distance of an outlier in longer sides of the instance's box.

    Raises:
        ValueError: ``factor`` is below 1, or there is not one prediction an instance.
    """
    if factor < 1:
        raise ValueError(f"swapped sides are a number of times nearer: expected a factor of at least 1; got {factor}")
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
    """(len,) mean over what is told; 0 where nothing is."""
    return np.asarray(np.where(told, distance, 0).sum(1) / np.maximum(told.sum(1), 1))


def repaired(dataset: Dataset, found: Agreement) -> Dataset:
    """The same set with left and right traded back where they were swapped, and a sentence that says how often."""
    rows = dataset.rows[found.swapped]
    flip = list(dataset.skeleton.flip)
    changed: dict[str, Any] = {}
    for name in ("xy", "visibility", "depth", "depth_known"):
        column = getattr(dataset, name)
        if column is not None:
            changed[name] = column.copy()
            changed[name][rows] = column[rows][:, flip]
    said = f"left and right traded back in {len(rows)} of {len(dataset)} instances, as predictions have them"
    return replace(dataset, inferred=(*dataset.inferred, said), **changed)
