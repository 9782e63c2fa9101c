"""Where one curve of errors crosses another, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.metrics.resampling import resamples

Float = NDArray[np.floating]


def sign_changes(difference: Float) -> NDArray[np.int64]:
    """(R,) how often each row of (R, S) numbers changes its sign; 0 counts as positive."""
    signs = difference >= 0
    return np.asarray((signs[:, 1:] != signs[:, :-1]).sum(-1))


def crossing_at(difference: Float, sizes: Float) -> Float:
    """(R,) where rows with one change of sign are zero, linear in the logarithm of the size; NaN for other rows.

    Args:
        difference: (R, S).
        sizes: (S,) increasing, above 0.

    >>> crossing_at(np.array([[1.0, -1.0]]), np.array([64.0, 256.0])).tolist()
    [128.0]
    """
    signs = difference >= 0
    first = (signs[:, 1:] != signs[:, :-1]).argmax(-1)
    row = np.arange(len(difference))
    before, after = difference[row, first], difference[row, first + 1]
    logs = np.log2(sizes)
    gap = np.where(before == after, 1.0, before - after)
    at = 2 ** (logs[first] + before / gap * (logs[first + 1] - logs[first]))
    return np.where(sign_changes(difference) == 1, at, np.nan)


def crossing(first: Float, second: Float, sizes: Sequence[int]) -> dict[str, Any]:
    """Where the mean error of ``first`` crosses that of ``second``.

    Args:
        first: (S, I) errors of I images at S sizes.
        second: (S, I) errors of the same images.
        sizes: S, increasing.

    Returns:
        ``sizes``; ``changes`` of the sign of the difference; ``below``, -1 where ``first`` has the smaller error at the
        smallest size, else 1; and where there is one change ``at``, the size; ``share`` of the resamples of images that
        agree on number and direction of changes, and ``low`` and ``high``, which hold 95 % of their crossings.
    """
    difference = np.asarray(first - second, np.float64)
    told: dict[str, Any] = {
        "sizes": list(sizes),
        "changes": 0,
        "below": 0,
        "at": None,
        "low": None,
        "high": None,
        "share": 0.0,
    }
    if len(sizes) < 2:
        return told
    mean = difference.mean(1)[None]
    weights = resamples(difference.shape[1])
    drawn = weights @ difference.T / difference.shape[1]
    changes = int(sign_changes(mean)[0])
    agree = (sign_changes(drawn) == changes) & ((drawn[:, 0] >= 0) == (mean[0, 0] >= 0))
    told |= {"changes": changes, "below": 1 if mean[0, 0] >= 0 else -1, "share": float(agree.mean())}
    if changes == 1:
        axis = np.array(sizes, np.float64)
        low, high = (
            np.percentile(crossing_at(drawn[agree], axis), (2.5, 97.5)).tolist() if agree.any() else (None, None)
        )
        told |= {"at": float(crossing_at(mean, axis)[0]), "low": low, "high": high}
    return told
