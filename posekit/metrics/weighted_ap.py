"""COCO's average precision as a function of how often each image counts, for resampling.

Poses are matched with the labels of their own image alone, so the matches hold for every resample; only the order of
all poses by score is taken together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.metrics.coco_ap import evaluator

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO's precision is averaged."""
ALL = [0.0, 1e10]
"""Range of areas that holds all instances."""


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """Average precision over OKS thresholds.

    Args:
        right: (T, D) whether each pose is matched, poses by falling score.
        counted: (T, D) false where a pose is ignored, such as one in a crowd region.
        image: (D,) position of each pose's image.
        truth: (I,) labelled instances of each image.
    """

    right: Bool
    counted: Bool
    image: NDArray[np.int64]
    truth: Float

    @property
    def columns(self) -> int:
        """One value."""
        return 1

    @property
    def width(self) -> int:
        """Numbers that one resample needs in memory."""
        return 8 * len(self.image)

    @property
    def trials(self) -> Float | None:
        """None: AP is no rate."""
        return None

    def at(self, *thresholds: int) -> Precision:
        """The same over some of the thresholds, by position."""
        chosen = list(thresholds)
        return Precision(self.right[chosen], self.counted[chosen], self.image, self.truth)

    def __call__(self, weights: Float) -> Float:
        """(R, 1) for weights (R, I); NaN where no instance is labelled."""
        total = weights @ self.truth
        if not len(self.image):
            return np.where(total > 0, 0.0, np.nan)[:, None]
        each = weights[:, self.image]
        values = [
            self._at(each, total, right, counted) for right, counted in zip(self.right, self.counted, strict=True)
        ]
        return np.where(total > 0, np.mean(values, axis=0), np.nan)[:, None]

    def _at(self, each: Float, total: Float, right: Bool, counted: Bool) -> Float:
        """(R,) average precision at one threshold, for weights (R, D) of the poses."""
        hits = np.cumsum(each * (right & counted), axis=1)
        misses = np.cumsum(each * (~right & counted), axis=1)
        precision = hits / (hits + misses + np.spacing(1))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = hits / np.where(total > 0, total, 1.0)[:, None]
        # Each pose stands for the recalls that are reached with it and not before.
        reached = np.searchsorted(RECALLS, recall.ravel(), side="right").reshape(recall.shape)
        new = np.diff(reached, axis=1, prepend=0)
        return np.asarray((envelope * new).sum(1) / len(RECALLS))


def precision_of(truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]], sigmas: Sequence[float]) -> Precision:
    """The matches of COCO's evaluator.

    Args:
        truth: see `coco_ap`; images have the ids 0, 1, ... in order.
        results: see `coco_ap`.
        sigmas: (K,).

    Raises:
        ValueError: see `coco_ap`.
    """
    engine = evaluator(truth, results, sigmas)
    engine.evaluate()
    images = len(truth["images"])
    found = sorted(
        (entry for entry in engine.eval_imgs if entry is not None and list(entry["aRng"]) == ALL),
        key=lambda entry: int(entry["image_id"]),
    )
    thresholds = len(engine.params.iou_thrs)
    labelled = np.zeros(images)
    for entry in found:
        labelled[int(entry["image_id"])] = sum(not ignored for ignored in entry["gtIgnore"])
    score = np.array([s for entry in found for s in entry["dtScores"]], dtype=np.float64)
    image = np.array([entry["image_id"] for entry in found for _ in entry["dtScores"]], dtype=np.int64)
    right, ignored = (
        np.concatenate([np.zeros((thresholds, 0), bool), *(_rows(entry[key], thresholds) for entry in found)], axis=1)
        for key in ("dtMatched", "dtIgnore")
    )
    order = np.argsort(-score, kind="stable")
    return Precision(right[:, order], ~ignored[:, order], image[order], labelled)


def _rows(values: Any, thresholds: int) -> Bool:
    """(T, D) bool, also of no poses."""
    return np.asarray(values, bool).reshape(thresholds, -1)
