"""Whether the objects of a set stand upright or lie at every angle."""

from __future__ import annotations

import numpy as np

from posekit.data.dataset import Dataset

ALIGNED = 0.4
"""Agreement of the main axes below which objects lie at every angle: people 0.6 to 0.7, gymnasts 0.26, mice from above
0.38, hands 0.1."""
LONG = 0.3
"""How much longer than wide a set's objects must be, on average, for their axis to say anything; faces have 0.1."""


def lies_at_every_angle(dataset: Dataset) -> bool:
    """Whether the main axes of a set's objects point everywhere, so that training should turn them fully."""
    agreement, length = axis_agreement(dataset)
    return agreement < ALIGNED and length > LONG


def axis_agreement(dataset: Dataset) -> tuple[float, float]:
    """How far the main axes of the labelled points agree, and how long the objects are.

    Returns:
        Length of the mean of the axes as unit vectors of the doubled angle, 1 where all are parallel and 0 where they
        point everywhere; and the mean of (a - b) / (a + b), with a and b the variances along an object's axes. 1 and 0
        for a set without an object of three labelled points.
    """
    rows = dataset.rows
    labelled = dataset.visibility[rows] > 0
    enough = labelled.sum(1) >= 3
    if not enough.any():
        return 1.0, 0.0
    known = labelled[enough][..., None]
    xy = dataset.xy[rows][enough]
    away = (xy - (xy * known).sum(1, keepdims=True) / known.sum(1, keepdims=True)) * known
    x, y = away[..., 0], away[..., 1]
    axis = (x * x - y * y).sum(1) + 2j * (x * y).sum(1)
    size = np.maximum((x * x + y * y).sum(1), 1e-9)
    return float(np.abs((axis / np.maximum(np.abs(axis), 1e-9)).mean())), float((np.abs(axis) / size).mean())
