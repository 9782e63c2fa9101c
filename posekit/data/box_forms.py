"""Detect boxes and points in another convention than the format has: corners instead of sizes, y before x, and so on.

A convention is checked against the points: in the right one nearly all labelled points lie within their boxes, the
boxes are not much larger than the points need, and they lie within the images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.geometry.boxes import area, around, extent

Array = NDArray[Any]
Found = tuple[str, Literal["error", "warning"], str, str, Array]
"""Code, severity, what, fix and rows of a suspicion."""

WITHIN = 0.95
"""Share of the labelled points that lie within their boxes in the right form."""

MANY = 8
"""With fewer instances, tight boxes are not evidence enough; some must also reach outside the image."""

ENOUGH = 2000
"""Largest number of instances that are checked, evenly spread over the set."""

MARGIN = 0.05
"""Tolerance for a point outside its box, as a fraction of the sides of the box."""


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """Boxes (len, 4) and points (len, K, 2) converted from another convention, its name, and the fix."""

    code: str
    boxes: Array
    xy: Array
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well boxes and points fit each other.

    Args:
        within: share of the labelled points that lie within their boxes.
        overlap: median intersection over union of the boxes with those around their points, where three or more are
            labelled.
        outside: share of the boxes that reach beyond their image.
        rows: how many instances there are.
    """

    within: float
    overlap: float
    outside: float
    rows: int

    def better_than(self, own: _Fit) -> bool:
        """Whether this convention fits better: more points within boxes, tighter boxes, or boxes inside the image."""
        if self.within < WITHIN or self.within < own.within - (1 - WITHIN):
            return False
        inside = self.outside < 0.02
        return (
            self.within >= own.within + 0.2
            or (self.overlap > 1.5 * own.overlap and (self.rows >= MANY or (inside and own.outside > 0.2)))
            or (inside and own.outside > 0.5)
        )


def misread(dataset: Dataset) -> Iterator[Found]:
    """The convention of boxes or points of the trainable instances, if it seems not to be that of the format.

    Args:
        dataset: the ending of its file shows which form was read: YOLO's centre and size, or COCO's corner and size.
    """
    rows = dataset.rows[extent(dataset.boxes[dataset.rows]).min(-1) > 0]
    if len(rows) < 2:
        return
    everyone, rows = rows, rows[:: max(1, len(rows) // ENOUGH)]
    labelled, boxes, xy = dataset.visibility[rows] > 0, dataset.boxes[rows], dataset.xy[rows]
    sizes = np.array([(r.width, r.height) for r in dataset.images], np.float64).reshape(-1, 2)[dataset.image[rows]]
    own = _fit(boxes, xy, labelled, sizes)
    mean = np.where(labelled[..., None], xy, 0.0).sum(1) / labelled.sum(1)[:, None]
    yolo = dataset.file.lower().endswith((".yaml", ".yml"))
    forms = _of_yolo(boxes, xy, mean, sizes) if yolo else _of_coco(boxes, xy, mean)
    fits = [(_fit(f.boxes, f.xy, labelled, sizes), f) for f in forms if (extent(f.boxes).min(-1) > 0).mean() >= 0.99]
    good = [(fit, form) for fit, form in fits if fit.better_than(own)]
    if good:
        fit, form = max(good, key=lambda one: (round(one[0].overlap, 2), round(one[0].within, 2)))
        proof = f"{fit.within:.0%} of the points then lie within their boxes, {own.within:.0%} as they are read"
        if fit.within < own.within + 0.2:
            proof = "then they lie close around their points and within the images"
        yield form.code, "warning", f"{form.what}: {proof}", form.fix, everyone


def _fit(boxes: Array, xy: Array, labelled: Array, sizes: Array) -> _Fit:
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    margin = MARGIN * (high - low) + 1
    within = ((xy >= low - margin) & (xy <= high + margin)).all(-1) & labelled
    many = labelled.sum(1) > 2
    own = around(xy, labelled)
    inner = np.concatenate([np.maximum(own[:, :2], boxes[:, :2]), np.minimum(own[:, 2:], boxes[:, 2:])], 1)
    overlap = area(inner) / np.maximum(area(own) + area(boxes) - area(inner), 1e-9)
    outside = (sizes > 0).all(1) & ((boxes[:, 2:] > sizes + 1) | (boxes[:, :2] < -1)).any(1)
    return _Fit(
        within=float((within.sum(1) / labelled.sum(1)).mean()),
        overlap=float(np.median(overlap[many])) if many.any() else 0.0,
        outside=float(outside.mean()),
        rows=len(boxes),
    )


def _of_coco(boxes: Array, xy: Array, mean: Array) -> Iterator[_Form]:
    """Other conventions that COCO's [x, y, width, height] may be mistaken for."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    read = "where COCO's [x, y, width, height] is read"
    yield _Form(
        "box_corners",
        np.concatenate([corner, size], 1),
        xy,
        f"boxes seem to be corners [x0, y0, x1, y1], {read}",
        "write [x0, y0, x1 - x0, y1 - y0] as 'bbox'",
    )
    yield _Form(
        "box_centres",
        np.concatenate([corner - size / 2, corner + size / 2], 1),
        xy,
        f"boxes seem to be [centre x, centre y, width, height], {read}",
        "write [x - width / 2, y - height / 2, width, height] as 'bbox'",
    )
    yield _Form(
        "box_axes",
        boxes[:, [1, 0, 3, 2]],
        xy,
        f"boxes seem to be [y, x, height, width], {read}",
        "write [x, y, width, height] as 'bbox'",
    )
    yield _Form(
        "box_axes",
        np.concatenate([corner[:, ::-1], size[:, ::-1]], 1),
        xy,
        f"boxes seem to be corners with y first [y0, x0, y1, x1], {read}",
        "write [x0, y0, x1 - x0, y1 - y0] as 'bbox'",
    )
    yield from _of_points(boxes, xy[..., ::-1], xy, mean)


def _of_yolo(boxes: Array, xy: Array, mean: Array, sizes: Array) -> Iterator[_Form]:
    """Other conventions that YOLO's centre and size may be mistaken for."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    read = "where YOLO's [centre x, centre y, width, height] is read"
    yield _Form(
        "box_corners",
        np.concatenate([centre, size], 1),
        xy,
        f"boxes seem to be corners [x0, y0, x1, y1], {read}",
        "write [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0] in fractions of the image",
    )
    yield _Form(
        "box_corners",
        np.concatenate([centre, centre + size], 1),
        xy,
        f"boxes seem to be [x, y, width, height] from their upper left corner, {read}",
        "write [x + width / 2, y + height / 2, width, height] in fractions of the image",
    )
    yield _Form(
        "point_units",
        boxes,
        xy / sizes[:, None],
        "points seem to be in pixels, where YOLO's fractions of the image are read",
        "divide them by the width and height of the image",
    )
    yield from _of_points(boxes, (xy / sizes[:, None])[..., ::-1] * sizes[:, None], xy, mean)


def _of_points(boxes: Array, swapped: Array, xy: Array, mean: Array) -> Iterator[_Form]:
    """Other conventions of points; ``mean`` (len, 2) is of the labelled ones."""
    yield _Form("point_axes", boxes, swapped, "points seem to be y before x", "write x, y, visibility of each point")
    yield _Form(
        "point_origin",
        boxes,
        xy + boxes[:, None, :2],
        "points seem to be relative to the upper left corner of their box",
        "add that corner: points are relative to the image",
    )
    if len(boxes) >= MANY:
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        scale = float((centre * mean).sum() / max(float((mean**2).sum()), 1e-9))
        yield _Form(
            "point_scale",
            boxes,
            xy * scale,
            f"points seem to be of images {1 / max(scale, 1e-9):.3g} times as large as those of the boxes",
            f"multiply the points by their ratio, or divide the boxes (points by {scale:.3g})",
        )
