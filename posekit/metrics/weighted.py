"""Metrics as functions of how often each image counts, for resampling: the same values as `posekit.metrics.protocols`.

Each is a `Statistic`: weights (R, I) of images to values (R, 1 + K), all points together first, then each point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posekit.metrics import norms
from posekit.metrics.protocols import Comparison
from posekit.metrics.resampling import Statistic
from posekit.metrics.similarity import oks

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]
Image = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """Means over instances, of each point and of all.

    Args:
        total: (I, K) sum of the values in each image.
        count: (I, K) number of them.
        over: "points": the mean of the points' means; "pooled": of all values alike.
        rate: whether the values are 0 or 1.
    """

    total: Float
    count: Float
    over: Literal["points", "pooled"]
    rate: bool = False

    @classmethod
    def of(
        cls,
        values: Float,
        counted: Bool,
        image: Image,
        images: int,
        over: Literal["points", "pooled"],
        rate: bool = False,
    ) -> Mean:
        """From values (M, K) of instances in images (M,); those that do not count may be anything."""
        total, count = (np.zeros((images, values.shape[1])) for _ in range(2))
        np.add.at(total, image, np.where(counted, values, 0.0))
        np.add.at(count, image, counted.astype(np.float64))
        return cls(total, count, over, rate)

    @property
    def columns(self) -> int:
        """All points together, and each point."""
        return 1 + int(self.total.shape[1])

    @property
    def width(self) -> int:
        """Numbers that one resample needs in memory."""
        return 2 * int(self.total.shape[1])

    @property
    def trials(self) -> Float | None:
        """(1 + K,) images with a counted value, for rates."""
        if not self.rate:
            return None
        some = self.count > 0
        return np.concatenate([[some.any(1).sum()], some.sum(0)]).astype(np.float64)

    def __call__(self, weights: Float) -> Float:
        """(R, 1 + K) means."""
        total, count = weights @ self.total, weights @ self.count
        each = _ratio(total, count)
        if self.over == "pooled":
            together = _ratio(total.sum(1), count.sum(1))
        else:
            together = _ratio(np.nansum(each, 1), (count > 0).sum(1).astype(np.float64))
        return np.concatenate([together[:, None], each], 1)


@dataclass(frozen=True, slots=True, eq=False)
class Median:
    """Medians over instances, of each point and of all.

    Args:
        values: (M, K) of each instance.
        counted: (M, K) bool.
        image: (M,) position of each instance's image.
    """

    values: Float
    counted: Bool
    image: Image

    @property
    def columns(self) -> int:
        """All points together, and each point."""
        return 1 + int(self.values.shape[1])

    @property
    def width(self) -> int:
        """Numbers that one resample needs in memory."""
        return 4 * int(self.values.size)

    @property
    def trials(self) -> Float | None:
        """None: no rates."""
        return None

    def __call__(self, weights: Float) -> Float:
        """(R, 1 + K) medians."""
        points = self.values.shape[1]
        each = _medians(self.values, self.counted, self.image, weights)
        flat = self.values.reshape(-1, 1), self.counted.reshape(-1, 1), np.repeat(self.image, points)
        return np.concatenate([_medians(*flat, weights), each], 1)


def _medians(values: Float, counted: Bool, image: Image, weights: Float) -> Float:
    """(R, C) weighted medians of columns (N, C): the mean of the two middle values."""
    if not len(values):
        return np.full((len(weights), values.shape[1]), np.nan)
    order = np.argsort(np.where(counted, values, np.inf), axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, 0)
    size = weights[:, image[order]] * np.take_along_axis(counted, order, 0)
    below = np.cumsum(size, axis=1)
    half = below[:, -1:] / 2
    ends = [np.minimum((test).sum(1), len(values) - 1) for test in (below < half, below <= half)]
    middle = [np.take_along_axis(ranked, end, 0) for end in ends]
    return np.where(half[:, 0] > 0, (middle[0] + middle[1]) / 2, np.nan)


def _ratio(over: Float, under: Float) -> Float:
    return np.where(under > 0, over / np.where(under > 0, under, 1.0), np.nan)


def _near(threshold: float, unit: Callable[[Comparison], Float], among: Callable[[Comparison], Bool]) -> Measure:
    def make(c: Comparison, image: Image, images: int) -> Statistic:
        scaled, counted = _scaled(c, unit(c), among(c))
        return Mean.of((scaled < threshold).astype(np.float64), counted, image, images, "points", rate=True)

    return make


def _error(unit: Callable[[Comparison], Float]) -> Measure:
    def make(c: Comparison, image: Image, images: int) -> Statistic:
        return Mean.of(*_scaled(c, unit(c), c.labelled), image, images, "pooled")

    return make


def _scaled(c: Comparison, unit: Float, labelled: Bool) -> tuple[Float, Bool]:
    """Errors (M, K) in units, and which of them count."""
    usable = np.isfinite(unit) & (unit > 0)
    return c.errors / np.where(usable, unit, 1.0)[:, None], labelled & usable[:, None]


def _pixels(c: Comparison) -> Float:
    return np.ones(len(c.xy))


def _box(c: Comparison) -> Float:
    return norms.box_side(c.boxes)


def _labelled(c: Comparison) -> Bool:
    return c.labelled


def _torso(c: Comparison) -> Float:
    return norms.torso(c.truth, c.labelled, c.skeleton, c.boxes)


def _oks(c: Comparison, image: Image, images: int) -> Statistic:
    each = oks(c.xy, c.truth, c.labelled, c.area, c.skeleton.oks_sigmas)
    return _Single(Mean.of(each[:, None], ~np.isnan(each)[:, None], image, images, "pooled"))


def _median(c: Comparison, image: Image, images: int) -> Statistic:
    return Median(c.errors, c.labelled, image)


@dataclass(frozen=True, slots=True, eq=False)
class _Single:
    """A mean without points of its own."""

    mean: Mean

    @property
    def columns(self) -> int:
        """One."""
        return 1

    @property
    def width(self) -> int:
        """Numbers that one resample needs in memory."""
        return self.mean.width

    @property
    def trials(self) -> Float | None:
        """None: no rates."""
        return None

    def __call__(self, weights: Float) -> Float:
        return self.mean(weights)[:, :1]


Measure = Callable[[Comparison, Image, int], Statistic]
"""From a comparison of M instances, the position of each one's image (M,), and the number of images."""

WEIGHTED: dict[str, Measure] = {
    "pck_torso@0.2": _near(0.2, _torso, Comparison.twelve),
    "nme_interocular": _error(Comparison.eyes),
    "oks": _oks,
    "pck@0.2": _near(0.2, _box, _labelled),
    "pck@0.05": _near(0.05, _box, _labelled),
    "nme_box": _error(_box),
    "epe": _error(_pixels),
    "median": _median,
}
"""Name in `PROTOCOLS` to the metric with weights."""
