"""Check labelled data: all faults with their location and the fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.data.all_faults import read_with_faults
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed
from posekit.data.image_check import check_pixels
from posekit.data.named import named
from posekit.data.suspicions import suspicions
from posekit.data.unusable import FIX, listed_rows, unusable_boxes
from posekit.geometry.keypoints import INSTANCE
from posekit.geometry.skeleton import MIRROR_FIX, side_faults
from posekit.words import singular

Severity = Literal["error", "warning", "info"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of fault, however often it occurs.

    Args:
        severity: ``error``: training or evaluation would fail or be wrong; ``warning``: probably not meant;
            ``info``: good to know.
        file: label file.
        what: description of the fault and where it is.
        fix: what to do, or empty where there is nothing to do.
        image: path of the first image concerned, or empty.
        annotation: number of the first annotation concerned, or ``None``.
        count: how often it occurs.
        code: one word for the kind.
    """

    severity: Severity
    file: str
    what: str
    fix: str = ""
    image: str = ""
    annotation: int | None = None
    count: int = 1
    code: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}: {self.what}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was found in one file.

    Args:
        findings: errors first; empty where all is well.
        dataset: the data without faults; ``None`` if nothing can be read.
    """

    findings: list[Finding]
    dataset: Dataset | None

    @property
    def errors(self) -> int:
        """How many kinds of errors there are."""
        return sum(finding.severity == "error" for finding in self.findings)


def check(
    target: Dataset | Path | str,
    images: Path | None = None,
    category: str | None = None,
    split: str | None = None,
    pixels: bool = True,
) -> list[Finding]:
    """Check labelled data.

    Args:
        target: a data set, or a label file to read.
        images: folder of the images, as in `read`.
        category: as in `read`.
        split: as in `read`.
        pixels: also open every image.

    Returns:
        One finding for each kind of fault, errors first; empty where all is well.
    """
    if isinstance(target, Dataset):
        return _sorted(_found(target, pixels))
    return inspect(target, images, category, split, pixels).findings


def inspect(
    path: Path | str,
    images: Path | None = None,
    category: str | None = None,
    split: str | None = None,
    pixels: bool = True,
    skeleton: str | None = None,
) -> Report:
    """Read a label file, collect its faults, and check the rest of the data.

    Args:
        path: of the file.
        images: as in `read`.
        category: as in `read`.
        split: as in `read`.
        pixels: also open every image.
        skeleton: as in `posekit.data.named.read_named`.
    """
    dataset, faults = read_with_faults(path, images=images, category=category, split=split)
    if dataset is not None:
        try:
            dataset = named(dataset, skeleton)
        except DataError as error:
            faults.append(DataError(f"{path}: {error}"))
    found = [_refused(fault) for fault in faults]
    if dataset is not None:
        found += _found(dataset, pixels)
    keys = {fault.key for fault in faults}
    if keys & {*_OF_SIDES}:
        found = [finding for finding in found if finding.code != "sides"]
    if "category_id" in keys:
        found = [finding for finding in found if finding.code != "empty"]
    return Report(_sorted(found), dataset)


_OF_SIDES = ("flip_pairs", "flip_idx", "kpt_names")
"""Codes of faults in mirror pairs; with these, unknown sides are not reported as well."""


def _sorted(findings: list[Finding]) -> list[Finding]:
    findings = [replace(finding, what=singular(finding.what)) for finding in findings]
    return sorted(findings, key=lambda finding: ("error", "warning", "info").index(finding.severity))


def _refused(fault: DataError) -> Finding:
    """An error of a reader, as a finding."""
    file, _, what = str(fault).partition(": ")
    first: Any = fault.entries[0] if fault.entries else {}
    number = first.get("id") if fault.key != "id" else None
    return Finding(
        severity="error",
        file=file,
        what=what or file,
        annotation=number if isinstance(number, int) and "image_id" in first else None,
        count=max(1, len(fault.entries)),
        code=fault.key or "file",
    )


def _found(dataset: Dataset, pixels: bool) -> list[Finding]:
    return [*_labels(dataset), *_sides(dataset), *(_images(dataset) if pixels else ())]


# Contradictions that make boxes or points lie outside their images: then only the cause is reported.
_CAUSES = ("box_corners", "box_centres", "box_axes", "point_axes", "point_units", "point_origin", "fractions")


def _labels(dataset: Dataset) -> Iterator[Finding]:
    """Faults in the arrays."""
    yield from _twice_numbered(dataset)
    bad = unusable_boxes(dataset)
    if len(bad):
        yield _rows(dataset, bad, "error", "box", f"{len(bad)} boxes have no width or no height", FIX)
    doubts = suspicions(dataset)
    for doubt in doubts:
        found = _rows(dataset, doubt.rows, doubt.severity, doubt.code, "", doubt.fix)
        yield replace(found, what=doubt.what)
    if not any(doubt.code in _CAUSES for doubt in doubts):
        yield from _locations(dataset, bad)
    yield from _emptiness(dataset, dataset.visibility > 0)


def _twice_numbered(dataset: Dataset) -> Iterator[Finding]:
    numbers, counts = np.unique(dataset.annotation_id, return_counts=True)
    rows = np.flatnonzero(np.isin(dataset.annotation_id, numbers[counts > 1]))
    if len(rows):
        what = f"{len(rows)} annotations have an id that another has too"
        yield _rows(dataset, rows, "error", "id", what, "number them anew")


def _locations(dataset: Dataset, flat: NDArray[np.int64]) -> Iterator[Finding]:
    """Boxes and points outside their image, and labelled points at (0, 0)."""
    labelled = dataset.visibility > 0
    width, height, known = _sizes(dataset)
    x0, y0, x1, y1 = dataset.boxes.T
    learnt = dataset.role == INSTANCE
    learnt[flat] = False
    out = learnt & known & ((x0 < -1) | (y0 < -1) | (x1 > width + 1) | (y1 > height + 1))
    corner = (labelled & (dataset.xy <= 0.5).all(-1)).any(1)
    x, y = dataset.xy[..., 0], dataset.xy[..., 1]
    away = (x < 0) | (y < 0) | (x > width[:, None]) | (y > height[:, None])
    for bad, code, what, fix in (
        (out, "box_outside", "boxes reach outside the image", "clip them, or check the image's size"),
        (
            corner,
            "point_at_zero",
            "annotations have labelled points at (0, 0)",
            "if these are missing points, give them visibility 0",
        ),
        (
            (labelled & away).any(1) & known & ~corner,
            "point_outside",
            "annotations have labelled points outside the image",
            "give them visibility 0, or check the image's size",
        ),
    ):
        rows = np.flatnonzero(bad)
        if len(rows):
            yield _rows(dataset, rows, "warning", code, f"{len(rows)} {what}", fix)


def _sizes(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """(M,) width and height of each row's image, and whether they are known."""
    sizes = np.array([(r.width, r.height) for r in dataset.images], np.int64).reshape(-1, 2)[dataset.image]
    return sizes[:, 0], sizes[:, 1], sizes[:, 0] > 0


def _rows(dataset: Dataset, rows: NDArray[Any], severity: Severity, code: str, what: str, fix: str) -> Finding:
    """A finding about rows of a data set, with their ids."""
    return Finding(
        severity=severity,
        file=dataset.file,
        what=f"{what}: ids {listed_rows(dataset, rows)}",
        fix=fix,
        image=dataset.images[int(dataset.image[rows[0]])].path,
        annotation=int(dataset.annotation_id[rows[0]]),
        count=len(rows),
        code=code,
    )


def _emptiness(dataset: Dataset, labelled: Mask) -> Iterator[Finding]:
    """Missing labels, points and instances."""
    if not len(dataset):
        what, fix = "no instance has a labelled point", "label some, or name another file"
        yield Finding("error", dataset.file, what, fix, code="empty")
        return
    never = [p for p, n in zip(dataset.skeleton.points, labelled[dataset.rows].sum(0), strict=True) if not n]
    if never:
        yield Finding(
            "warning",
            dataset.file,
            f"{len(never)} points are never labelled: {listed(never)}",
            "they cannot be trained; label some, or remove them from the category",
            count=len(never),
            code="point_missing",
        )
    without = np.flatnonzero(~labelled.any(1))
    if len(without):
        what = f"{len(without)} annotations have no labelled point and are ignored"
        yield _rows(dataset, without, "info", "unlabelled", what, "")
    bare = dataset.scenes - len(np.unique(dataset.image))
    if bare:
        what = f"{bare} of {dataset.scenes} images {'has' if bare == 1 else 'have'} no annotation"
        yield Finding("info", dataset.file, what, count=bare, code="image_bare")


def _sides(dataset: Dataset) -> Iterator[Finding]:
    """Doubts about left and right."""
    faults = side_faults(dataset.skeleton)
    for fault in faults:
        what, _, fix = fault.rpartition("; ")
        yield Finding("warning", dataset.file, what, fix, code="sides")
    if not faults and not dataset.skeleton.flippable and len(dataset):
        what = "left and right are unknown, so images are not flipped in training"
        yield Finding("warning", dataset.file, what, MIRROR_FIX, code="sides")


def _images(dataset: Dataset) -> Iterator[Finding]:
    """Faults in the image files, one finding for each kind."""
    kinds: dict[tuple[Severity, str, str], list[str]] = {}
    for record in dataset.images:
        for fault in check_pixels(record):
            kinds.setdefault(fault, []).append(record.path)
    times = Counter(record.path for record in dataset.images)
    if again := [path for path, n in times.items() if n > 1]:
        kinds["warning", "files are listed as several images", "list each file once"] = again
    for (severity, what, fix), concerned in kinds.items():
        yield Finding(
            severity=severity,
            file=dataset.file,
            what=f"{len(concerned)} {what}: {listed([' '.join(path.split()) for path in concerned])}",
            fix=fix,
            image=concerned[0],
            count=len(concerned),
            code="image",
        )
