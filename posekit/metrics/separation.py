"""How well a number separates two classes: the area under the ROC curve, from ranks. No loop over points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


def roc_auc(value: Float, positive: Bool, counted: Bool) -> Float:
    """Probability that a positive of a column has a higher value than a negative of it; ties count one half.

    Args:
        value: (M, K); NaN is never counted.
        positive: (M, K) bool, the class that should have the higher values.
        counted: (M, K) bool, the entries that count.

    Returns:
        (K,) in [0, 1], 0.5 for values that tell nothing; NaN where a column has no counted positive or no counted
        negative.

    Raises:
        ValueError: the shapes differ, or are not (M, K).

    Source: Mann and Whitney 1947; the sum of the positives' mid-ranks.

    >>> value, positive = np.array([[0.9], [0.5], [0.5], [0.1]]), np.array([[True], [True], [False], [False]])
    >>> roc_auc(value, positive, np.ones((4, 1), bool))
    array([0.875])
    """
    if value.ndim != 2 or not value.shape == positive.shape == counted.shape:
        raise ValueError(
            f"value, positive and counted need the same shape (M, K); got {value.shape}, {positive.shape} and "
            f"{counted.shape}"
        )
    counted = counted.astype(bool) & ~np.isnan(value)
    positive = positive.astype(bool) & counted
    above, total = positive.sum(0), counted.sum(0)
    below = total - above
    # Entries that do not count come last, behind infinite values that do: they change no rank.
    order = np.lexsort((value, ~counted), axis=0)
    ranks = _mid_ranks(np.take_along_axis(value, order, 0), np.take_along_axis(counted, order, 0))
    total_ranks = np.where(np.take_along_axis(positive, order, 0), ranks, 0.0).sum(0)
    wins = total_ranks - above * (above + 1) / 2
    return np.where((above > 0) & (below > 0), wins / np.maximum(above * below, 1), np.nan)


def _mid_ranks(value: Float, counted: Bool) -> Float:
    """Ranks from 1 of sorted columns (M, K); equal values share the mean of their ranks."""
    rows = np.arange(len(value))[:, None]
    new = np.ones(value.shape, bool)
    new[1:] = (value[1:] != value[:-1]) | (counted[1:] != counted[:-1])
    first = np.maximum.accumulate(np.where(new, rows, 0), axis=0)
    end = np.ones(value.shape, bool)
    end[:-1] = new[1:]
    last = np.minimum.accumulate(np.where(end, rows, len(value))[::-1], axis=0)[::-1]
    return (first + last) / 2 + 1
