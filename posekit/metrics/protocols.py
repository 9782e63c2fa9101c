"""The metrics of data sets by name: what is measured, in which unit, and whether higher is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.skeleton import Skeleton
from posekit.metrics import norms, points
from posekit.metrics.similarity import oks

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Predictions and ground truth.

    Args:
        xy: (M, K, 2) predictions, pixels of the image as labelled.
        truth: (M, K, 2) in the same frame.
        labelled: (M, K) bool.
        boxes: (M, 4) x0 y0 x1 y1.
        area: (M,) square pixels.
        skeleton: of the K points.
        errors: (M, K) distances, pixels.
    """

    xy: Float
    truth: Float
    labelled: Bool
    boxes: Float
    area: Float
    skeleton: Skeleton
    errors: Float

    def twelve(self) -> Bool:
        """(M, K) labelled points that are among the twelve limb points."""
        among = np.isin(np.asarray(self.skeleton.points), norms.TWELVE)
        return np.asarray(self.labelled & among)

    def eyes(self) -> Float:
        """(M,) distance between the eye points; NaN where the skeleton is no face."""
        pair = norms.eyes(self.skeleton)
        return np.full(len(self.xy), np.nan) if pair is None else norms.interocular(self.truth, self.labelled, *pair)


def _anything(skeleton: Skeleton) -> bool:
    return True


def _face(skeleton: Skeleton) -> bool:
    return norms.eyes(skeleton) is not None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A metric and where it applies.

    Args:
        about: one line of description.
        value: computes the metric of a comparison; NaN where nothing can be measured.
        higher: whether higher is better.
        fits: whether a skeleton has the points that are needed.
        points: computes the metric of each point (K,), or ``None`` where it is not defined for points.
        needs: what the skeleton must have, for the error message.
    """

    about: str
    value: Callable[[Comparison], float]
    higher: bool
    fits: Callable[[Skeleton], bool] = _anything
    points: Callable[[Comparison], Float] | None = None
    needs: str = "nothing"


def _pck_box(threshold: float) -> Callable[[Comparison], points.PerPoint]:
    return lambda c: points.pck(c.errors, c.labelled, norms.box_side(c.boxes), threshold)


def _pck_torso(c: Comparison) -> points.PerPoint:
    return points.pck(c.errors, c.twelve(), norms.torso(c.truth, c.labelled, c.skeleton, c.boxes), 0.2)


def _nme_box(c: Comparison) -> points.PerPoint:
    return points.nme(c.errors, c.labelled, norms.box_side(c.boxes))


def _nme_eyes(c: Comparison) -> points.PerPoint:
    return points.nme(c.errors, c.labelled, c.eyes())


def _each_eyes(c: Comparison) -> Float:
    return points.nme_each(c.errors, c.labelled, c.eyes())


def _oks(c: Comparison) -> float:
    each = oks(c.xy, c.truth, c.labelled, c.area, c.skeleton.oks_sigmas)
    return points.mean_of(each[~np.isnan(each)])


_TWELVE = "the twelve limb points by name: left_shoulder, right_shoulder, ... right_ankle"
_EYES = "a face: 68 or 98 points, or at most six of which two are eyes"

PROTOCOLS: dict[str, Protocol] = {
    "pck_torso@0.2": Protocol(
        "share of the twelve limb points nearer than 0.2 torsos (shoulder to opposite hip), mean over points",
        lambda c: _pck_torso(c).mean,
        higher=True,
        fits=norms.has_torso,
        points=lambda c: _pck_torso(c).values,
        needs=_TWELVE,
    ),
    "nme_interocular": Protocol(
        "mean error in distances between the eyes (outer corners with 68 and 98 points)",
        lambda c: _nme_eyes(c).pooled,
        higher=False,
        fits=_face,
        points=lambda c: _nme_eyes(c).values,
        needs=_EYES,
    ),
    "fr_interocular@0.1": Protocol(
        "share of faces whose mean error exceeds 0.1 distances between the eyes",
        lambda c: points.failure_rate(_each_eyes(c), 0.1),
        higher=False,
        fits=_face,
        needs=_EYES,
    ),
    "auc_interocular@0.1": Protocol(
        "area under the cumulative distribution of faces' errors up to 0.1 distances between the eyes",
        lambda c: points.area_under(_each_eyes(c), 0.1),
        higher=True,
        fits=_face,
        needs=_EYES,
    ),
    "oks": Protocol("mean object keypoint similarity with the matching ground truth", _oks, higher=True),
    "pck@0.2": Protocol(
        "share of points nearer than 0.2 of the box's longer side, mean over points",
        lambda c: _pck_box(0.2)(c).mean,
        higher=True,
        points=lambda c: _pck_box(0.2)(c).values,
    ),
    "pck@0.05": Protocol(
        "share of points nearer than 0.05 of the box's longer side, mean over points",
        lambda c: _pck_box(0.05)(c).mean,
        higher=True,
        points=lambda c: _pck_box(0.05)(c).values,
    ),
    "auc": Protocol(
        "PCK by the box's longer side, averaged over the thresholds 0, 0.01, ... 0.19",
        lambda c: points.auc(c.errors, c.labelled, norms.box_side(c.boxes), [i / 100 for i in range(20)]),
        higher=True,
    ),
    "nme_box": Protocol(
        "mean error in longer sides of the box",
        lambda c: _nme_box(c).pooled,
        higher=False,
        points=lambda c: _nme_box(c).values,
    ),
    "epe": Protocol(
        "mean error in pixels of the image",
        lambda c: points.epe(c.errors, c.labelled).pooled,
        higher=False,
        points=lambda c: points.epe(c.errors, c.labelled).values,
    ),
    "median": Protocol(
        "median error in pixels of the image",
        lambda c: points.median(c.errors, c.labelled)[1],
        higher=False,
        points=lambda c: points.median(c.errors, c.labelled)[0],
    ),
}
"""Name of the metric to its definition. Metrics that do not fit a skeleton are not computed for it."""


def fitting(skeleton: Skeleton) -> tuple[str, ...]:
    """Names of the metrics for which a skeleton has the points."""
    return tuple(name for name, protocol in PROTOCOLS.items() if protocol.fits(skeleton))


def default_protocol(skeleton: Skeleton) -> str:
    """Name of the default metric that ranks models of a skeleton.

    NME by the eyes for faces, OKS for skeletons with all OKS sigmas, PCK by the torso for bodies, else PCK by the box.
    """
    if norms.eyes(skeleton) is not None:
        return "nme_interocular"
    if not skeleton.unknown_sigmas:
        return "oks"
    return "pck_torso@0.2" if norms.has_torso(skeleton) else "pck@0.2"


def chosen_protocol(skeleton: Skeleton, name: str = "") -> str:
    """Check the name of a metric; empty: the default.

    Raises:
        ValueError: no such metric, or the skeleton lacks the points for it.
    """
    if not name:
        return default_protocol(skeleton)
    if name not in PROTOCOLS:
        raise ValueError(
            f"no metric {name!r}; those that fit skeleton {skeleton.name!r}: {', '.join(fitting(skeleton))}"
        )
    if not PROTOCOLS[name].fits(skeleton):
        raise ValueError(
            f"metric {name!r} needs {PROTOCOLS[name].needs}; skeleton {skeleton.name!r} has {list(skeleton.points)}. "
            f"Those that fit: {', '.join(fitting(skeleton))}"
        )
    return name
