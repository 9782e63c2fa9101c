"""Wilcoxon's signed-rank test: whether paired differences lie to one side of zero."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Side = Literal["two-sided", "greater", "less"]

EXACT = 50
"""Up to this many differences without ties the distribution is exact."""


def signed_rank(differences: Float, side: Side = "two-sided") -> float:
    """Probability of such signed ranks, or more extreme ones, if the differences are symmetric about zero.

    Differences of zero are left out (Wilcoxon), equal absolute differences share the mean of their ranks. Exact for at
    most `EXACT` differences without ties, else the normal approximation with correction of the variance for ties, and
    without correction for continuity.

    Args:
        differences: (N,) of the pairs; NaN is left out.
        side: "greater": small if the differences tend to be above zero.

    Returns:
        The p-value; 1 where no difference is left.

    Raises:
        ValueError: an unknown side.

    Source: Wilcoxon 1945, Biometrics Bulletin 1; for ties Lehmann 1975, Nonparametrics, section 3.2.

    >>> signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), "greater")
    0.03125
    """
    if side not in ("two-sided", "greater", "less"):
        raise ValueError(f"side is 'two-sided', 'greater' or 'less'; got {side!r}")
    kept = differences[~np.isnan(differences)]
    kept = kept[kept != 0]
    if not len(kept):
        return 1.0
    ranks, sizes = _ranks(np.abs(kept))
    positive = float(ranks[kept > 0].sum())
    if len(kept) <= EXACT and (sizes == 1).all():
        above, below = _exact(len(kept), positive)
    else:
        above, below = _normal(len(kept), sizes, positive)
    return {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[side]


def _ranks(size: Float) -> tuple[Float, NDArray[np.int64]]:
    """(N,) ranks from 1, ties with their mean, and the number of members of each group of equal values."""
    _, group, counts = np.unique(size, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[group], counts.astype(np.int64)


def _exact(n: int, positive: float) -> tuple[float, float]:
    """Probabilities of a sum of positive ranks of at least, and at most, this one."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))
    share = ways / ways.sum()
    at = round(positive)
    return min(1.0, float(share[at:].sum())), min(1.0, float(share[: at + 1].sum()))


def _normal(n: int, sizes: NDArray[np.int64], positive: float) -> tuple[float, float]:
    """The same by the normal approximation."""
    ties = sizes.astype(np.float64)
    variance = n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48
    z = (positive - n * (n + 1) / 4) / math.sqrt(variance)
    return NormalDist().cdf(-z), NormalDist().cdf(z)
