"""Calibration of scores: how often points of a score are correct, and a curve that turns scores into probabilities.

The meaning of a score, say 0.8, differs between codecs. A calibration fitted on labelled images turns it into the
probability that the point is near enough to the ground truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass as plain
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.metrics import norms
from posekit.metrics.protocols import Comparison

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

EDGE = 1e-6
"""Scores are kept this far from 0 and 1, where the logit is infinite."""

HIGHEST = 100.0
"""Largest temperature, for scores without or with inverse information: all points get nearly the same score."""

SPREAD = 5.0
"""Standard deviation of the prior on the slope, per standard deviation of the logits; weak, for data that leave it
open."""

FLAT = 1e-2
"""Below this standard deviation of the logits no slope is fitted."""


def _logit(score: Float) -> Float:
    inside = np.clip(np.asarray(score, np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _sigmoid(logit: Float) -> Float:
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit)))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Calibration:
    """An increasing curve from scores to probabilities: ``sigmoid(logit(score) / temperature + shift)``.

    Source: Platt 1999; Guo et al. 2017, arXiv:1706.04599 (temperature). Differs: both parameters together, on the logit
    of a score.
    """

    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    "above 1 draws scores towards the middle, below 1 towards 0 and 1"
    shift: float = Field(default=0.0, allow_inf_nan=False)
    "added to the logit; above 0 raises every score"
    meaning: str = ""
    "the event whose probability a calibrated score is"

    def apply(self, score: Float) -> Float:
        """Calibrated scores, in the same order as before.

        Args:
            score: (...) in [0, 1]; clamped to [1e-6, 1 - 1e-6].

        Returns:
            (...) in [0, 1], dtype of ``score``.
        """
        return _sigmoid(_logit(score) / self.temperature + self.shift).astype(np.asarray(score).dtype)


@plain(frozen=True, slots=True, eq=False)
class Reliability:
    """Reliability table: points in bins of their score.

    Args:
        edges: (n + 1,) of the bins; each includes its lower edge, the last also its upper one.
        count: (n,) number of points.
        score: (n,) their mean score; NaN in an empty bin.
        share: (n,) fraction of them that is correct; NaN in an empty bin.
    """

    edges: Float
    count: NDArray[np.int64]
    score: Float
    share: Float

    @property
    def gaps(self) -> Float:
        """(n,) absolute difference of score and share; 0 in an empty bin."""
        return np.asarray(np.where(self.count > 0, np.abs(self.score - self.share), 0.0))

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean gap, weighted by the number of points of each bin."""
        return float((self.gaps * self.count).sum() / self.count.sum())

    @property
    def largest_error(self) -> float:
        """Maximum calibration error: the largest gap of all bins."""
        return float(self.gaps.max())


def _checked(score: Float, correct: Bool) -> tuple[Float, Float]:
    """Both as flat float64."""
    scores, right = np.asarray(score, np.float64), np.asarray(correct, bool)
    if scores.shape != right.shape or not scores.size:
        raise ValueError(
            f"calibration needs as many labels as scores, at least one; got {scores.shape} and {right.shape}"
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"calibration needs scores in [0, 1]; got {scores.min():g} to {scores.max():g}")
    return scores.ravel(), right.ravel().astype(np.float64)


def reliability(score: Float, correct: Bool, bins: int = 10, by: Literal["count", "width"] = "count") -> Reliability:
    """Sort points into bins of their score and count how many are correct.

    Args:
        score: (...) in [0, 1].
        correct: (...) bool, which of them are correct.
        bins: largest number of bins.
        by: "count": about as many points in every bin, where equal scores stay in one bin; "width": [0, 1] is divided
            evenly, and bins may be empty.

    Raises:
        ValueError: no points, scores outside [0, 1], or no bins.

    >>> table = reliability(np.array([0.2, 0.2, 0.9, 0.9]), np.array([False, True, True, True]), bins=2)
    >>> table.share.tolist(), round(table.expected_error, 3)
    ([0.5, 1.0], 0.2)
    """
    scores, right = _checked(score, correct)
    if bins < 1 or by not in ("count", "width"):
        raise ValueError(f"reliability needs at least one bin, by 'count' or 'width'; got {bins} by {by!r}")
    if by == "width":
        edges = np.linspace(0.0, 1.0, bins + 1)
    else:
        ordered = np.sort(scores)
        cuts = ordered[np.arange(1, bins) * len(ordered) // bins]
        edges = np.concatenate([ordered[:1], np.unique(cuts[cuts > ordered[0]]), ordered[-1:]])
    number = np.searchsorted(edges[1:-1], scores, side="right")
    count = np.bincount(number, minlength=len(edges) - 1)
    some = np.maximum(count, 1)

    def mean(values: Float) -> Float:
        total = np.bincount(number, weights=values, minlength=len(count))
        return np.asarray(np.where(count > 0, total / some, np.nan))

    return Reliability(edges, count.astype(np.int64), mean(scores), mean(right))


def fit(score: Float, correct: Bool, meaning: str = "") -> Calibration:
    """Fit the calibration of maximum likelihood, by Newton's method on the log loss.

    Weak priors decide what the data leave open: half a correct and half a wrong point at the mean score, and a slope
    near that of uncalibrated scores. Scores that separate right from wrong perfectly thus get a finite curve, equal
    scores all get the fraction that is correct, and scores that rank points inversely get the temperature `HIGHEST`.

    Args:
        score: (...) in [0, 1], as the codec gives them.
        correct: (...) bool.
        meaning: stored in the calibration.

    Raises:
        ValueError: no points, or scores outside [0, 1].
    """
    scores, right = _checked(score, correct)
    x = _logit(scores)
    # With standardised logits both parameters have a similar scale and are nearly independent.
    middle, scale = float(x.mean()), max(float(x.std()), FLAT)
    z = np.append((x - middle) / scale, [0.0, 0.0])
    y = np.append(right, [1.0, 0.0])
    weight = np.append(np.ones_like(right), [0.5, 0.5])
    slope, height = _newton(z, y, weight, scale, slope=None)
    lowest = scale / HIGHEST
    if slope < lowest:
        slope, height = _newton(z, y, weight, scale, slope=lowest)
    return Calibration(temperature=scale / slope, shift=height - middle * slope / scale, meaning=meaning)


def _newton(z: Float, y: Float, weight: Float, prior: float, slope: float | None) -> tuple[float, float]:
    """Slope and intercept of the logistic curve of maximum likelihood; a given slope is kept fixed."""

    def loss(at: Float) -> float:
        t = at[0] * z + at[1]
        return float((weight * (np.logaddexp(0.0, t) - y * t)).sum() + ((at[0] - prior) / SPREAD) ** 2 / 2)

    share = float((weight * y).sum() / weight.sum())
    at = np.array([prior if slope is None else slope, np.log(share / (1 - share))])
    for _ in range(100):
        p = _sigmoid(at[0] * z + at[1])
        down, bend = weight * (p - y), weight * p * (1 - p)
        gradient = np.array([(down * z).sum() + (at[0] - prior) / SPREAD**2, down.sum()])
        cross = (bend * z).sum()
        curvature = np.array([[(bend * z * z).sum() + SPREAD**-2, cross], [cross, bend.sum()]])
        if slope is None:
            step = np.linalg.solve(curvature, gradient)
        else:
            step = np.array([0.0, gradient[1] / curvature[1, 1]])
        # The loss is convex: a step that overshoots is halved until it goes down.
        here = loss(at)
        for _ in range(50):
            if loss(at - step) <= here:
                break
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-10:
            break
    return float(at[0]), float(at[1])


@plain(frozen=True, slots=True)
class Unit:
    """A length in which errors are measured.

    Args:
        about: its name for the reader.
        length: (M,) of each instance, pixels; NaN where the labels do not give it.
        threshold: default error below which a point is correct.
    """

    about: str
    length: Callable[[Comparison], Float]
    threshold: float


UNITS: dict[str, Unit] = {
    "box": Unit("the box's longer side", lambda c: norms.box_side(c.boxes), 0.1),
    "eyes": Unit("the distance between the eyes", lambda c: c.eyes(), 0.1),
    "torso": Unit("the torso", lambda c: norms.torso(c.truth, c.labelled, c.skeleton, c.boxes), 0.2),
}
"""Name to unit."""


def unit_of(protocol: str) -> Unit:
    """The unit that a protocol of `posekit.metrics.protocols` measures in; the box for those that have none."""
    return UNITS["eyes" if "interocular" in protocol else "torso" if "torso" in protocol else "box"]


def found(comparison: Comparison, unit: Unit, threshold: float | None = None) -> tuple[Bool, Bool]:
    """Which predicted points are correct, and which points count.

    Args:
        comparison: predictions beside the truth.
        unit: that errors are measured in.
        threshold: in units; a point with a smaller error is correct; ``None``: the unit's own threshold.

    Returns:
        (M, K) bool correct, and (M, K) bool counted: labelled, in an instance that has the unit.

    Raises:
        ValueError: the threshold is not positive.
    """
    limit = unit.threshold if threshold is None else threshold
    if not 0 < limit < np.inf:
        raise ValueError(f"the threshold is a fraction of {unit.about} above 0; got {limit:g}")
    length = unit.length(comparison)
    usable = np.isfinite(length) & (length > 0)
    near = comparison.errors < limit * np.where(usable, length, 0.0)[:, None]
    return np.asarray(near), np.asarray(comparison.labelled & usable[:, None])
