"""What kind of error a wrong point is: inaccurate, on the mirror point, on another instance, or nowhere.

Source: Ronchi and Perona 2017, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", arXiv:1707.05388;
similarities of 0.85 and 0.5 are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.metrics.similarity import similarity

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

KINDS = {
    "good": "similarity to its label of 0.85 and more",
    "jitter": "near its label, but inaccurate",
    "inversion": "on the mirror point: left and right are mixed up",
    "swap": "on a point of another instance",
    "miss": "near none of these",
    "not found": "the model has no pose for the instance",
}
"""Kinds of errors and what they mean. Similarity is that of OKS for one point."""
GOOD, NEAR = 0.85, 0.5
"""Similarity from which a point is good, and from which it lies on a labelled point."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """The kind of each point.

    Args:
        kinds: (M, K) index in `KINDS`; -1 where nothing is labelled.
        similarity: (M, K) to the own label, in [0, 1].
    """

    kinds: NDArray[np.int8]
    similarity: Float

    def share(self) -> dict[str, float]:
        """Share of all labelled points that are of each kind; NaN where none is labelled."""
        return {name: _mean(self.kinds == i, self.kinds >= 0) for i, name in enumerate(KINDS)}

    def lost(self) -> dict[str, float]:
        """Similarity that each kind costs, as a mean over all labelled points: 1 less their mean similarity in all."""
        return {
            name: _mean(np.where(self.kinds == i, 1 - self.similarity, 0.0), self.kinds >= 0)
            for i, name in enumerate(KINDS)
        }

    def per_point(self) -> dict[str, Float]:
        """Share of each kind among the labelled, for each point: (K,); NaN where a point is never labelled."""
        count = (self.kinds >= 0).sum(0)
        with np.errstate(invalid="ignore"):
            return {
                name: np.where(count > 0, (self.kinds == i).sum(0) / np.maximum(count, 1), np.nan)
                for i, name in enumerate(KINDS)
            }


def diagnose(
    xy: Float,
    truth: Float,
    labelled: Bool,
    area: Float,
    images: NDArray[np.integer],
    sigmas: Sequence[float] | Float,
    mirror: Sequence[int],
    found: Bool | None = None,
) -> Diagnosis:
    """Tell kinds of errors apart.

    A point that is not good belongs to the label that it is most similar to, if that similarity is at least 0.5: its
    own (jitter), its mirror point's (inversion), or those two of another instance in the image (swap). Of equal
    similarities the first of these counts.

    Args:
        xy: (M, K, 2) predictions, pixels of the images; NaN counts as a miss.
        truth: (M, K, 2) labels in the same frame.
        labelled: (M, K) bool.
        area: (M,) square pixels of the instance's segment; instances without a positive area count as unlabelled.
        images: (M,) number of the image that an instance lies in.
        sigmas: (K,) OKS sigmas.
        mirror: for each point its mirror point, itself if it has none.
        found: (M,) whether the model has a pose for the instance at all; ``None``: all.

    Raises:
        ValueError: not one sigma or one mirror point for each point.
    """
    if len(mirror) != xy.shape[1]:
        raise ValueError(f"one mirror point for each of {xy.shape[1]} points is needed; got {len(mirror)}")
    usable = np.isfinite(area) & (area > 0)
    labelled = labelled & usable[:, None]
    size = np.where(usable, area, 1.0)
    own = _alike(xy, truth, labelled, size, sigmas)
    flip = np.asarray(mirror)
    mirrored = np.where(flip == np.arange(len(flip)), 0.0, _alike(xy, truth[:, flip], labelled[:, flip], size, sigmas))
    nearest = np.stack((own, mirrored, _others(xy, truth, labelled, size, images, sigmas, flip)))
    kind = np.where(nearest.max(0) >= NEAR, 1 + nearest.argmax(0), list(KINDS).index("miss"))
    kind = np.where(own >= GOOD, 0, kind)
    if found is not None:
        kind = np.where(found[:, None], kind, list(KINDS).index("not found"))
    return Diagnosis(np.where(labelled, kind, -1).astype(np.int8), np.where(labelled, own, np.nan))


def _alike(xy: Float, truth: Float, labelled: Bool, area: Float, sigmas: Sequence[float] | Float) -> Float:
    """(M, K) similarity to a labelled point, 0 where it is not labelled or the prediction is NaN."""
    squared = ((xy.astype(np.float64) - truth) ** 2).sum(-1)
    return similarity(np.where(labelled & np.isfinite(squared), squared, np.inf), area, sigmas)


def _others(
    xy: Float,
    truth: Float,
    labelled: Bool,
    area: Float,
    images: NDArray[np.integer],
    sigmas: Sequence[float] | Float,
    flip: NDArray[np.integer],
) -> Float:
    """(M, K) highest similarity to the same or the mirror point of another instance of the image."""
    best = np.zeros(xy.shape[:2])
    one, other = _pairs(images)
    for points in (np.arange(len(flip)), flip):
        near = _alike(xy[one], truth[other][:, points], labelled[other][:, points], area[other], sigmas)
        np.maximum.at(best, one, near)
    return best


def _pairs(images: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All ordered pairs of different instances in one image."""
    order = np.argsort(images, kind="stable")
    _, group, count = np.unique(images[order], return_inverse=True, return_counts=True)
    each = count[group]
    first = np.concatenate(([0], np.cumsum(count)))[group]
    one = np.repeat(np.arange(len(order)), each)
    within = np.arange(len(one)) - np.repeat(np.cumsum(each) - each, each)
    other = np.repeat(first, each) + within
    apart = one != other
    return order[one[apart]], order[other[apart]]


def _mean(values: NDArray[np.generic], where: Bool) -> float:
    return float(np.asarray(values, dtype=np.float64)[where].mean()) if where.any() else float("nan")
