"""Statistics of a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.geometry.boxes import extent
from posekit.geometry.keypoints import INSTANCE


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics of a data set.

    Args:
        images: number of images.
        instances: number of trainable instances.
        ignored: number of regions to ignore.
        labelled: for each point by name, the number of instances that have it labelled.
        hidden: for each point by name, how many of these are hidden.
        box_sides: smallest, median and largest longer side of a box, pixels; zeros where there is none.
    """

    images: int
    instances: int
    ignored: int
    labelled: dict[str, int]
    hidden: dict[str, int]
    box_sides: tuple[float, float, float]


def figures(dataset: Dataset) -> Figures:
    """Compute the statistics of a data set."""
    visibility, sides = dataset.visibility[dataset.rows], extent(dataset.boxes[dataset.rows]).max(-1, initial=0)
    points = dataset.skeleton.points

    def per_point(mask: NDArray[np.bool_]) -> dict[str, int]:
        return dict(zip(points, mask.sum(0).tolist(), strict=True))

    pick: Sequence[Callable[[NDArray[np.floating]], float]] = (np.min, np.median, np.max)
    low, median, high = (float(f(sides)) if len(sides) else 0.0 for f in pick)
    return Figures(
        images=dataset.scenes,
        instances=len(dataset),
        ignored=int((dataset.role != INSTANCE).sum()),
        labelled=per_point(visibility > 0),
        hidden=per_point(visibility == 1),
        box_sides=(low, median, high),
    )
