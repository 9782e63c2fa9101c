"""Methods compared on the same instances: every metric with its interval, and paired differences between methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.metrics.calibration import Unit, fit, found, reliability, unit_of
from posekit.metrics.norms import box_side
from posekit.metrics.points import errors, nme_each
from posekit.metrics.protocols import PROTOCOLS, Comparison, chosen_protocol, fitting
from posekit.metrics.resampling import LEVEL, Estimate, Statistic, difference, estimate, resamples
from posekit.metrics.separation import roc_auc
from posekit.metrics.signed_rank import signed_rank
from posekit.metrics.weighted import WEIGHTED

Float = NDArray[np.floating]
NEAR_LIMIT = 0.97
"""A share above this leaves little room to tell methods apart."""
FINER = ("pck@0.05", "nme_box")
"""Finer metrics to rank by instead: the first that is not near its limit."""
COUNT = 2000
"""Resamples of a comparison: enough for the far tails of intervals that hold for many pairs together."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Methods on the same M instances of I images.

    Args:
        points: names of the points.
        images: number of images.
        main: metric that ranks.
        higher: whether higher values of it are better.
        estimates: by method and metric; columns are all points together, then each point where the metric has them.
        errors: (M,) mean error of each instance by method, as a fraction of the box's longer side.
        labelled: (K,) labelled points.
    """

    points: tuple[str, ...]
    images: int
    main: str
    higher: bool
    estimates: Mapping[str, Mapping[str, Estimate]]
    errors: Mapping[str, Float]
    labelled: NDArray[np.int64]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, the main one first."""
        names = next(iter(self.estimates.values()))
        return (self.main, *(name for name in names if name != self.main))

    @property
    def instances(self) -> int:
        """Number of instances."""
        return len(next(iter(self.errors.values())))

    def ranked(self) -> list[str]:
        """Methods from best to worst by the main metric, equal ones by the mean error of instances."""
        sign = -1 if self.higher else 1

        def key(name: str) -> tuple[float, float]:
            value = sign * float(self.estimates[name][self.main].value[0])
            return (np.inf if np.isnan(value) else value, float(np.nanmean(self.errors[name])))

        return sorted(self.estimates, key=key)

    def apart(self, a: str, b: str, metric: str, level: float = LEVEL) -> tuple[float, float, float]:
        """Difference ``a - b`` of a metric over all points and its interval; NaN where undefined."""
        one, other = self.estimates[a][metric], self.estimates[b][metric]
        both = difference(_first(one), _first(other), self.images, level)
        return float(both.value[0]), float(both.low[0]), float(both.high[0])

    def pairs(self) -> list[dict[str, Any]]:
        """Every pair of methods: differences of every metric, and the signed-rank test of the instances' errors."""
        return [
            {
                "a": a,
                "b": b,
                "differences": {
                    metric: dict(zip(("value", "low", "high"), self.apart(a, b, metric), strict=True))
                    for metric in self.metrics
                },
                "p": signed_rank(self.errors[a] - self.errors[b]),
            }
            for a, b in combinations(self.ranked(), 2)
        ]


def unsaturated(result: Contrast) -> Contrast:
    """The comparison by a finer metric if the main one is a share that is near its limit for several methods.

    Where two methods find nearly every point, the main metric no longer tells them apart; see `NEAR_LIMIT`, `FINER`.
    """
    for metric in (result.main, *FINER):
        if metric not in result.metrics:
            continue
        higher = result.higher if metric == result.main else PROTOCOLS[metric].higher
        values = [float(own[metric].value[0]) for own in result.estimates.values()]
        if not higher or sum(value > NEAR_LIMIT for value in values) < 2:
            return replace(result, main=metric, higher=higher)
    return result


def _first(whole: Estimate) -> Estimate:
    return Estimate(whole.value[:1], whole.low[:1], whole.high[:1], whole.resampled[:, :1])


def contrast(
    predicted: Mapping[str, Float],
    dataset: Dataset,
    metric: str = "",
    *,
    seed: int = 0,
    count: int = COUNT,
    more: Mapping[str, Mapping[str, Statistic]] | None = None,
) -> Contrast:
    """Compare methods.

    Args:
        predicted: by method: (M, K, 2) points of the trainable instances, pixels of the set's images.
        dataset: labelled.
        metric: protocol that ranks; empty: the first that fits the skeleton; or a name in ``more``.
        seed: of the resampling.
        count: resamples.
        more: by metric and method: further statistics of the same images.

    Raises:
        ValueError: no method, or the metric does not fit the skeleton or has no interval.
    """
    if not predicted:
        raise ValueError("a comparison needs at least one method; got none")
    more = more or {}
    main = metric if metric in more else chosen_protocol(dataset.skeleton, metric)
    names = [name for name in WEIGHTED if name in fitting(dataset.skeleton)]
    if main not in (*names, *more):
        raise ValueError(f"metric {main!r} has no interval; those that have one: {', '.join((*more, *names))}")
    weights = resamples(dataset.scenes, count, seed)
    image = dataset.image_of_instance()
    rows = dataset.rows
    estimates: dict[str, dict[str, Estimate]] = {}
    each = {}
    for method, xy in predicted.items():
        made = comparison(xy, dataset)
        estimates[method] = {name: estimate(own[method], weights) for name, own in more.items()}
        estimates[method] |= {
            name: estimate(WEIGHTED[name](made, image, dataset.scenes), weights)
            for name in (main, *names)
            if name in names
        }
        each[method] = nme_each(made.errors, made.labelled, box_side(made.boxes))
    return Contrast(
        points=dataset.skeleton.points,
        images=dataset.scenes,
        main=main,
        higher=True if main in more else PROTOCOLS[main].higher,
        estimates=estimates,
        errors=each,
        labelled=(dataset.visibility[rows] > 0).sum(0),
    )


def comparison(xy: Float, dataset: Dataset) -> Comparison:
    """Predictions (M, K, 2) beside the labels of the trainable instances."""
    rows = dataset.rows
    truth = dataset.xy[rows]
    return Comparison(
        xy,
        truth,
        dataset.visibility[rows] > 0,
        dataset.boxes[rows],
        dataset.area[rows],
        dataset.skeleton,
        errors(xy, truth),
    )


@dataclass(frozen=True)
class Trust:
    """How far scores can be trusted.

    Args:
        ranks: probability that a correct point has a higher score than a wrong one; NaN if all or none are correct.
        raw: expected calibration error of the scores as they are.
        calibrated: the same after `posekit.metrics.calibration.fit`, fitted on half of the images and measured on the
            other half, both ways; NaN with fewer than two images.
        correct: share of correct points.
        meaning: when a point is correct.
    """

    ranks: float
    raw: float
    calibrated: float
    correct: float
    meaning: str


def trust(xy: Float, score: Float, dataset: Dataset, metric: str) -> Trust:
    """Whether scores (M, K) tell which points are correct; see `Trust`."""
    unit: Unit = unit_of(metric)
    made = comparison(xy, dataset)
    near, counted = found(made, unit)
    meaning = f"nearer than {unit.threshold:g} of {unit.about}"
    if not counted.any():
        return Trust(*(float("nan"),) * 4, meaning)
    scores, right = np.clip(score, 0, 1)[counted], near[counted]
    odd = np.broadcast_to((dataset.image_of_instance() % 2 == 1)[:, None], counted.shape)[counted]
    fitted = scores.astype(np.float64)
    if odd.any() and not odd.all():
        for part in (odd, ~odd):
            fitted[part] = fit(scores[~part], right[~part]).apply(scores[part])
        calibrated = reliability(fitted, right).expected_error
    else:
        calibrated = float("nan")
    ranks = roc_auc(scores[:, None], right[:, None], np.ones((len(right), 1), bool))[0]
    return Trust(float(ranks), reliability(scores, right).expected_error, calibrated, float(right.mean()), meaning)
