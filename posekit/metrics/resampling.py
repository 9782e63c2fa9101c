"""Confidence intervals by resampling images (clustered bootstrap), also of differences between methods.

The instances of one image are not independent, so images are drawn with replacement, each with all its instances. A
resample is a weight for each image: how often it was drawn. Methods that are measured with the same weights are paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]

LEVEL = 0.95
"""Level of the intervals."""
RESAMPLES = 1000
"""Number of resamples."""
UNDEFINED = 0.05
"""With a larger share of resamples in which a statistic is undefined it gets no interval."""
FEWEST = 5
"""With fewer images there is no interval."""
_CHUNK = 4_000_000
"""Numbers that are worked on at once."""


class Statistic(Protocol):
    """A figure of a method as a function of how often each image counts."""

    @property
    def columns(self) -> int:
        """Number of values, such as all points together, then each point."""
        ...

    @property
    def width(self) -> int:
        """Numbers that one resample needs in memory."""
        ...

    @property
    def trials(self) -> Float | None:
        """(columns,) images with anything counted, where the values are rates; ``None`` for other figures."""
        ...

    def __call__(self, weights: Float) -> Float:
        """Values (R, columns) for weights (R, I) of the images; NaN where undefined."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A figure with its interval.

    Args:
        value: (C,) on all images; NaN where undefined.
        low: (C,) lower end of the interval; NaN where there is none.
        high: (C,) upper end.
        resampled: (R, C) in the resamples.
    """

    value: Float
    low: Float
    high: Float
    resampled: Float


def resamples(images: int, count: int = RESAMPLES, seed: int = 0) -> Float:
    """(count, images) float64: how often each image is drawn in each resample.

    Raises:
        ValueError: no images or no resamples.
    """
    if images < 1 or count < 1:
        raise ValueError(f"resampling needs at least one image and one resample; got {images} and {count}")
    random = np.random.default_rng(seed)
    return random.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)


def estimate(statistic: Statistic, weights: Float, level: float = LEVEL) -> Estimate:
    """A statistic on all images, and its interval.

    Args:
        statistic: of I images.
        weights: (R, I) of `resamples`.
        level: of the interval.
    """
    images = weights.shape[1]
    size = max(1, _CHUNK // max(images, statistic.width, 1))
    parts = [statistic(weights[start : start + size]) for start in range(0, len(weights), size)]
    found = _with_interval(statistic(np.ones((1, images)))[0], np.concatenate(parts), images, level)
    return found if statistic.trials is None else _with_sure_rates(found, statistic.trials, level)


def _with_sure_rates(found: Estimate, trials: Float, level: float) -> Estimate:
    """Wilson's interval for rates of 0 and 1, which are the same in every resample and yet not certain."""
    low, high = found.low.copy(), found.high.copy()
    sure = np.flatnonzero((low == high) & np.isin(found.value, (0.0, 1.0)))
    for column in sure.tolist():
        low[column], high[column] = wilson(float(found.value[column] * trials[column]), float(trials[column]), level)
    return Estimate(found.value, low, high, found.resampled)


def difference(a: Estimate, b: Estimate, images: int, level: float = LEVEL) -> Estimate:
    """``a`` minus ``b``, of two methods on the same images and resamples.

    Raises:
        ValueError: they were resampled differently.
    """
    if a.resampled.shape != b.resampled.shape:
        raise ValueError(
            f"a paired difference needs the same resamples and columns; got {a.resampled.shape} and {b.resampled.shape}"
        )
    return _with_interval(a.value - b.value, a.resampled - b.resampled, images, level)


def _with_interval(value: Float, resampled: Float, images: int, level: float) -> Estimate:
    low, high = percentiles(resampled, images, level)
    gone = np.isnan(value)
    return Estimate(value, np.where(gone, np.nan, low), np.where(gone, np.nan, high), resampled)


def percentiles(resampled: Float, images: int, level: float = LEVEL) -> tuple[Float, Float]:
    """Ends of the percentile interval, widened for few images.

    The plain percentile interval is too narrow for few images, as a normal quantile in place of Student's; its
    percentiles are therefore moved outwards. NaN for a column that is undefined in more than `UNDEFINED` of the
    resamples, and for fewer than `FEWEST` images.

    Args:
        resampled: (R, C).
        images: number of resampled images.
        level: of the interval, in (0, 1).

    Returns:
        (C,) lower and (C,) upper ends.

    Raises:
        ValueError: the level is not in (0, 1).

    Source: Hesterberg 2015, arXiv:1411.5279, section 3.5 (expanded percentile interval).
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level:g}")
    known = ~np.isnan(resampled)
    usable = (known.mean(0) >= 1 - UNDEFINED) & (images >= FEWEST)
    nothing = np.full(resampled.shape[1], np.nan)
    if not usable.any():
        return nothing, nothing.copy()
    tail = NormalDist().cdf(math.sqrt(images / (images - 1)) * student((1 - level) / 2, images - 1))
    ends = np.nanquantile(resampled[:, usable], [tail, 1 - tail], axis=0)
    low, high = nothing, nothing.copy()
    low[usable], high[usable] = ends
    return low, high


def student(share: float, freedom: int) -> float:
    """Quantile of Student's t distribution.

    Args:
        share: in (0, 1).
        freedom: degrees of freedom, at least 4; the error of the expansion is then below 0.5 % of the 2.5 % quantile.

    Source: Abramowitz and Stegun 1964, 26.7.5.

    >>> round(student(0.025, 10), 3)
    -2.228
    """
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + float(sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def wilson(right: float, total: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a rate, also good for few trials and for rates of 0 and 1.

    Args:
        right: number of successes, 0 to ``total``; need not be whole.
        total: number of independent trials; 0 gives NaN.
        level: of the interval.

    Raises:
        ValueError: more successes than trials, or fewer than 0.

    Source: Wilson 1927, Journal of the American Statistical Association 22.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if not 0 <= right <= total:
        raise ValueError(f"a rate needs 0 to {total:g} successes; got {right:g}")
    if not total:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = right / total, z * z / total
    middle = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / total + extra / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def clustered_rate(right: Float, total: Float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a rate over images: trials of one image count as far as they are independent.

    The number of trials is divided by the design effect: the variance of the rate over images, relative to that of
    independent trials, at least 1; for a rate of 0 or 1 the mean number of trials in an image.

    Args:
        right: (I,) successes of each image.
        total: (I,) trials of each image.
        level: of the interval.

    Source: Kish 1965, Survey Sampling, for the design effect of clusters of unequal size.
    """
    trials, good, used = float(total.sum()), float(right.sum()), int((total > 0).sum())
    if not trials:
        return float("nan"), float("nan")
    share = good / trials
    alone = share * (1 - share) / trials
    effect = trials / used
    if alone > 0 and used > 1:
        residual = right - share * total
        effect = float((residual**2).sum()) * used / (used - 1) / trials**2 / alone
    independent = trials / max(effect, 1.0)
    return wilson(share * independent, independent, level)
