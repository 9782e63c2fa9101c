"""All metrics that fit a data set, from its predictions and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.geometry import boxes as rectangles
from posekit.geometry.skeleton import Skeleton
from posekit.metrics import points
from posekit.metrics.norms import AREA_OF_BOX
from posekit.metrics.protocols import PROTOCOLS, Comparison, chosen_protocol, fitting

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Values of all metrics.

    Args:
        figures: name of the metric in `PROTOCOLS` to its value; NaN where nothing could be measured.
        main: name of the metric that ranks models.
        higher: whether higher is better.
        per_point: name of the metric to (K,) values, the main metric's first if it has them; NaN for points never
            labelled.
        errors: (M, K) pixels.
    """

    figures: dict[str, float]
    main: str
    higher: bool
    per_point: Mapping[str, Float]
    errors: Float

    @property
    def value(self) -> float:
        """Value of the metric that ranks models."""
        return self.figures[self.main]


def evaluate(
    xy: Float,
    truth: Float,
    labelled: Bool,
    boxes: Float,
    area: Float | None,
    skeleton: Skeleton,
    metric: str = "",
) -> Evaluation:
    """Measure predictions of given instances by every protocol that fits their skeleton.

    Args:
        xy: (M, K, 2) predictions, pixels of the images as labelled.
        truth: (M, K, 2) in the same frame; any finite value where unlabelled.
        labelled: (M, K) bool.
        boxes: (M, 4) x0 y0 x1 y1.
        area: (M,) square pixels of the segments; ``None``: `AREA_OF_BOX` times the boxes' area.
        skeleton: of the K points.
        metric: name of the metric that ranks models; empty: the skeleton's default.

    Raises:
        ValueError: arrays that do not fit each other, or a metric that does not fit the skeleton.
    """
    main = chosen_protocol(skeleton, metric)
    area = AREA_OF_BOX * rectangles.area(boxes) if area is None else area
    m, k = len(truth), len(skeleton.points)
    wanted = {"xy": (m, k, 2), "truth": (m, k, 2), "labelled": (m, k), "boxes": (m, 4), "area": (m,)}
    given = {"xy": xy, "truth": truth, "labelled": labelled, "boxes": boxes, "area": area}
    wrong = [
        f"{name} {given[name].shape} instead of {shape}" for name, shape in wanted.items() if given[name].shape != shape
    ]
    if wrong:
        raise ValueError(f"{m} instances of {k} points ({skeleton.name!r}) need other shapes: {'; '.join(wrong)}")
    comparison = Comparison(xy, truth, labelled.astype(bool), boxes, area, skeleton, points.errors(xy, truth))
    return Evaluation(
        figures={name: PROTOCOLS[name].value(comparison) for name in fitting(skeleton)},
        main=main,
        higher=PROTOCOLS[main].higher,
        per_point=_per_point(comparison, main),
        errors=comparison.errors,
    )


def _per_point(comparison: Comparison, main: str) -> dict[str, Float]:
    """The table of points: the main metric and two common ones."""
    columns = dict.fromkeys((main, "pck@0.2", "epe"))
    return {name: own(comparison) for name in columns if (own := PROTOCOLS[name].points) is not None}
