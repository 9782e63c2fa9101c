"""Find label values that contradict each other, with the likely mistake and the fix.

Readers accept such files, but results are wrong later: boxes in another convention give wrong crops, areas of 0 make
OKS meaningless. Here points, boxes, areas and image sizes are compared; training and evaluation repeat the warnings
that concern them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.data.box_forms import misread
from posekit.data.dataset import Dataset
from posekit.data.label_units import another_unit
from posekit.data.unusable import listed_rows
from posekit.geometry.boxes import area, around, extent

Array = NDArray[Any]
Command = Literal["train", "eval"]
BOTH: frozenset[Command] = frozenset(("train", "eval"))

NEAR = 1.5
"""Largest context around a box in the recipes, as a multiple of the box: a point outside is never visible."""

OFTEN = 0.02
"""Share of the annotations from which on scattered faults count as one systematic mistake."""

LOW, HIGH = 0.01, 1.5
"""Smallest and largest plausible share of its box that an instance fills."""

SAME = 0.01
"""Largest distance of points labelled twice, as a fraction of the extent of the instance."""


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """A contradiction, however often it occurs.

    Args:
        code: one word for its kind.
        severity: ``error``: training and evaluation would be wrong; ``warning``: probably not meant; ``info``: a
            few annotations, as in any large set.
        what: description.
        fix: the likely mistake and what to do.
        rows: of the data set's arrays.
        concerns: the commands whose results would be wrong.
    """

    code: str
    severity: Literal["error", "warning", "info"]
    what: str
    fix: str
    rows: Array
    concerns: frozenset[Command] = BOTH


def suspicions(dataset: Dataset) -> tuple[Suspicion, ...]:
    """Compare points, boxes, areas and image sizes of the trainable instances.

    If one mistake explains everything (fractions, boxes in another convention), its consequences are not reported.

    Args:
        dataset: as it was read.

    Returns:
        One for each kind of contradiction; empty where all agree.
    """
    if not len(dataset):
        return ()
    if unit := [Suspicion(*found) for found in another_unit(dataset)]:
        return tuple(unit)
    found = [Suspicion(*form) for form in misread(dataset)] or [*_boxes_away(dataset), *_areas(dataset)]
    return (*found, *_twice(dataset), *_one_place(dataset))


def concerning(dataset: Dataset, command: Command) -> tuple[str, ...]:
    """Messages of the errors and warnings among `suspicions` that concern a command."""
    return tuple(
        f"{dataset.file}: {found.what}; {found.fix}" if dataset.file else f"{found.what}; {found.fix}"
        for found in suspicions(dataset)
        if command in found.concerns and found.severity != "info"
    )


def _boxes_away(dataset: Dataset) -> Iterator[Suspicion]:
    """Instances none of whose labelled points lies in or near their box."""
    rows = dataset.rows
    boxes, labelled = dataset.boxes[rows], dataset.visibility[rows] > 0
    sides = extent(boxes)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = (np.abs(dataset.xy[rows] - centre[:, None]) <= NEAR / 2 * sides[:, None]).all(-1)
    bad = rows[~(near & labelled).any(1) & (sides > 0).all(1)]
    if len(bad):
        yield Suspicion(
            "boxes_away",
            "warning" if len(bad) >= OFTEN * len(rows) else "info",
            f"{len(bad)} boxes are far from all labelled points of their annotation: ids {listed_rows(dataset, bad)}",
            "crops around such boxes do not show the instance; correct the boxes (COCO's 'bbox' is [x, y, "
            "width, height] in pixels; left out it is put around the points)",
            bad,
        )


def _areas(dataset: Dataset) -> Iterator[Suspicion]:
    """Areas that are 0, far too small or large for their boxes, or equal for boxes of all sizes."""
    rows = dataset.rows
    given, boxes = dataset.area[rows], area(dataset.boxes[rows])
    counted = boxes >= 16
    nothing = counted & (given <= 1)
    share = given / np.maximum(boxes, 1e-9)
    odd = counted & ~nothing & ((share < LOW) | (share > HIGH))
    fix = (
        "OKS and AP depend on areas; correct 'area' (square pixels of the instance), or leave it out: it is then "
        "estimated from the box"
    )
    smallest = boxes[boxes > 0].min(initial=np.inf)
    if len(rows) > 4 and given[0] > 1 and np.ptp(given) == 0 and boxes.max() > 4 * smallest:
        what = f"all {len(rows)} areas are {given[0]:g}, though the boxes differ by more than four times"
        yield Suspicion("area", "warning", what, fix, rows)
        return
    if nothing.any():
        bad = rows[nothing]
        what = f"{len(bad)} areas are 0 or 1 square pixel beside larger boxes: ids {listed_rows(dataset, bad)}"
        yield Suspicion("area", "warning", what, fix, bad)
    if odd.sum() >= max(1.0, OFTEN * counted.sum()):
        bad = rows[odd]
        low, high = (f"{value:.3g}" for value in (share[odd].min(), share[odd].max()))
        what = (
            f"{len(bad)} areas do not fit their boxes ({low} to {high} times as large): ids {listed_rows(dataset, bad)}"
        )
        yield Suspicion("area", "warning", what, fix, bad)


def _twice(dataset: Dataset) -> Iterator[Suspicion]:
    """Instances with the same points as another in the same image."""
    rows = dataset.rows
    labelled, boxes = dataset.visibility[rows] > 0, dataset.boxes[rows]
    xy = np.where(labelled[..., None], dataset.xy[rows], 0.0)
    image = dataset.image[rows]
    # After sorting by image and mean point, duplicates are neighbours; their labelled points must agree as well.
    mean = xy.sum((1, 2)) / np.maximum(labelled.sum(1), 1)
    order = np.lexsort((mean, labelled.sum(1), image))
    one, other = order[:-1], order[1:]
    near = SAME * np.maximum(extent(around(xy, labelled)).max(1), 1.0)[one]
    same = (image[one] == image[other]) & (labelled[one] == labelled[other]).all(1)
    same &= np.abs(xy[one] - xy[other]).max((1, 2), initial=0) <= near
    # One or two points may coincide at random; then the boxes must agree as well.
    same &= (labelled[one].sum(1) > 2) | (np.abs(boxes[one] - boxes[other]).max(1, initial=0) <= near)
    if same.any():
        bad = np.sort(rows[np.maximum(one, other)[same]])
        yield Suspicion(
            "twice",
            "warning",
            f"{len(bad)} annotations repeat the points of another in the same image: ids {listed_rows(dataset, bad)}",
            "each counts as a missed instance and lowers AP; was a file joined with itself? remove the copies",
            bad,
        )


def _one_place(dataset: Dataset) -> Iterator[Suspicion]:
    """Instances all of whose labelled points coincide, at least three."""
    rows = dataset.rows
    labelled = dataset.visibility[rows] > 0
    around_points = around(dataset.xy[rows], labelled)
    bad = rows[(labelled.sum(1) > 2) & (extent(around_points).max(1) <= 0)]
    if len(bad):
        yield Suspicion(
            "one_place",
            "warning",
            f"{len(bad)} annotations have all their points at one place: ids {listed_rows(dataset, bad)}",
            "give points that are not labelled visibility 0",
            bad,
        )
