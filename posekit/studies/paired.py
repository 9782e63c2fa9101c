"""Two measurements of the same points or images, their difference, and its interval from resampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posekit.metrics.resampling import percentiles, resamples

Float = NDArray[np.floating]


def contrast(
    first: Float, second: Float, group: NDArray[np.integer], groups: int, names: tuple[str, str]
) -> dict[str, float]:
    """Means of two measurements and their difference, with its 95 % interval from resampling groups.

    Args:
        first: (P,) errors.
        second: (P,) errors of the same points.
        group: (P,) image or person that each belongs to.
        groups: their number.
        names: of the two.

    Returns:
        The means by name, ``rise`` (first minus second), and the ends ``low`` and ``high`` of its interval.
    """
    total = np.bincount(group, np.asarray(first - second, np.float64), minlength=groups)
    number = np.bincount(group, minlength=groups)
    weights = resamples(groups)
    drawn = (weights @ total) / np.maximum(weights @ number, 1)
    low, high = percentiles(drawn[:, None], groups)
    return {
        names[0]: float(first.mean()),
        names[1]: float(second.mean()),
        "rise": float((first - second).mean()),
        "low": float(low[0]),
        "high": float(high[0]),
    }
