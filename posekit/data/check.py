"""Everything that can be wrong with labelled data without stopping a reader, told with its place and the fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed
from posekit.data.image_check import check_pixels
from posekit.data.readers import read
from posekit.geometry.boxes import extent
from posekit.geometry.keypoints import INSTANCE

Severity = Literal["error", "warning", "info"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of fault, however often it occurs.

    Args:
        severity: ``error``: training or measuring would fail or be wrong; ``warning``: probably not meant;
            ``info``: good to know.
        file: label file.
        what: was found, and where.
        fix: what to do, or empty where there is nothing to do.
        image: path of the first image concerned, or empty.
        annotation: number of the first annotation concerned, or ``None``.
        count: how often it occurs.
    """

    severity: Severity
    file: str
    what: str
    fix: str = ""
    image: str = ""
    annotation: int | None = None
    count: int = 1

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}: {self.what}" + (f"; {self.fix}" if self.fix else "")


def check(
    target: Dataset | Path | str,
    images: Path | None = None,
    category: str | None = None,
    split: str | None = None,
    pixels: bool = True,
) -> list[Finding]:
    """Look for faults.

    Args:
        target: a data set, or a label file to read.
        images: folder of the images, as in `read`.
        category: as in `read`.
        split: as in `read`.
        pixels: whether every image is opened.

    Returns:
        One finding for each kind of fault, errors first; empty where all is well.
    """
    if isinstance(target, Path | str):
        try:
            target = read(target, images=images, category=category, split=split)
        except DataError as error:
            file, _, what = str(error).partition(": ")
            return [Finding("error", file, what or file)]
    found = [*_labels(target), *(_images(target) if pixels else ())]
    return sorted(found, key=lambda f: ("error", "warning", "info").index(f.severity))


def _labels(dataset: Dataset) -> Iterator[Finding]:
    """Faults that the arrays show."""
    labelled, learnt = dataset.visibility > 0, dataset.role == INSTANCE
    width, height, known = _sizes(dataset)
    numbers, counts = np.unique(dataset.annotation_id, return_counts=True)
    twice = np.isin(dataset.annotation_id, numbers[counts > 1])
    yield from _rows(dataset, twice, "error", "annotations have an id that another has too", "number them anew")
    flat = learnt & (extent(dataset.boxes).min(1) <= 0)
    yield from _rows(dataset, flat, "error", "boxes have no width or no height", "draw them around the instance")
    x0, y0, x1, y1 = dataset.boxes.T
    out = learnt & known & ~flat & ((x0 < -1) | (y0 < -1) | (x1 > width + 1) | (y1 > height + 1))
    yield from _rows(dataset, out, "warning", "boxes reach outside the image", "clip them, or check the image's size")
    corner = (labelled & (dataset.xy <= 0.5).all(-1)).any(1)
    yield from _rows(
        dataset,
        corner,
        "warning",
        "annotations have labelled points at (0, 0)",
        "is that a missing point? give it visibility 0",
    )
    x, y = dataset.xy[..., 0], dataset.xy[..., 1]
    away = (x < 0) | (y < 0) | (x > width[:, None]) | (y > height[:, None])
    yield from _rows(
        dataset,
        (labelled & away).any(1) & known & ~corner,
        "warning",
        "annotations have labelled points outside the image",
        "give them visibility 0, or check the image's size",
    )
    yield from _emptiness(dataset, labelled)


def _sizes(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """(M,) width and height of each row's image, and whether they are known."""
    sizes = np.array([(r.width, r.height) for r in dataset.images], np.int64).reshape(-1, 2)[dataset.image]
    return sizes[:, 0], sizes[:, 1], sizes[:, 0] > 0


def _rows(dataset: Dataset, bad: Mask, severity: Severity, what: str, fix: str) -> Iterator[Finding]:
    rows = np.flatnonzero(bad)
    if len(rows):
        numbers = dataset.annotation_id[rows].tolist()
        yield Finding(
            severity=severity,
            file=dataset.file,
            what=f"{len(rows)} {what}: ids {listed(list(dict.fromkeys(numbers)))}",
            fix=fix,
            image=dataset.images[dataset.image[rows[0]]].path,
            annotation=int(numbers[0]),
            count=len(rows),
        )


def _emptiness(dataset: Dataset, labelled: Mask) -> Iterator[Finding]:
    """What is missing: labels, points, instances, mirror pairs."""
    if not len(dataset):
        yield Finding("error", dataset.file, "no instance has a labelled point", "label some, or name another file")
        return
    never = [p for p, n in zip(dataset.skeleton.points, labelled[dataset.rows].sum(0), strict=True) if not n]
    if never:
        yield Finding(
            "warning",
            dataset.file,
            f"{len(never)} points are labelled nowhere: {listed(never)}",
            "they cannot be learnt; label some, or take them out of the category",
            count=len(never),
        )
    without = ~labelled.any(1)
    yield from _rows(dataset, without, "info", "annotations have no labelled point and are ignored", "")
    bare = dataset.scenes - len(np.unique(dataset.image))
    if bare:
        yield Finding("info", dataset.file, f"{bare} of {dataset.scenes} images have no annotation", count=bare)
    if not dataset.skeleton.flippable:
        yield Finding(
            "warning",
            dataset.file,
            "nothing is known of left and right, so images are not flipped in training",
            "give the category flip_pairs (empty where flipping needs no swap), or name points left_.../right_...",
        )


def _images(dataset: Dataset) -> Iterator[Finding]:
    """Faults that the images show, one finding for each kind."""
    kinds: dict[tuple[Severity, str, str], list[str]] = {}
    for record in dataset.images:
        for fault in check_pixels(record):
            kinds.setdefault(fault, []).append(record.path)
    times = Counter(record.path for record in dataset.images)
    if again := [path for path, n in times.items() if n > 1]:
        kinds["warning", "files stand for several images", "list each file once"] = again
    for (severity, what, fix), concerned in kinds.items():
        yield Finding(
            severity=severity,
            file=dataset.file,
            what=f"{len(concerned)} {what}: {listed(concerned)}",
            fix=fix,
            image=concerned[0],
            count=len(concerned),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """A data set in numbers.

    Args:
        images: how many.
        instances: that can be learnt from.
        ignored: regions to ignore.
        labelled: name of each point to how many instances have it labelled.
        hidden: name of each point to how many of these are hidden.
        box_sides: smallest, median and largest longer side of a box, pixels; zeros where there is none.
    """

    images: int
    instances: int
    ignored: int
    labelled: dict[str, int]
    hidden: dict[str, int]
    box_sides: tuple[float, float, float]


def figures(dataset: Dataset) -> Figures:
    """Count what a data set holds."""
    visibility, sides = dataset.visibility[dataset.rows], extent(dataset.boxes[dataset.rows]).max(-1, initial=0)
    points = dataset.skeleton.points

    def per_point(mask: Mask) -> dict[str, int]:
        return dict(zip(points, mask.sum(0).tolist(), strict=True))

    pick: Sequence[Callable[[NDArray[np.floating]], float]] = (np.min, np.median, np.max)
    low, middle, high = (float(f(sides)) if len(sides) else 0.0 for f in pick)
    return Figures(
        images=dataset.scenes,
        instances=len(dataset),
        ignored=int((dataset.role != INSTANCE).sum()),
        labelled=per_point(visibility > 0),
        hidden=per_point(visibility == 1),
        box_sides=(low, middle, high),
    )
