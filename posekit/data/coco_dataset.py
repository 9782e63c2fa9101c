"""The data set that a parsed COCO file describes: every field checked, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco_category import choose_category, read_skeleton
from posekit.data.coco_columns import Mask, Table, flags, number_rows, numbers, plain_value, whole_numbers
from posekit.data.coco_depth import read_depths
from posekit.data.coco_images import Images, read_images
from posekit.data.coco_structure import AnnotationEntry, Document
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.errors import DataError, listed, one_line, shown
from posekit.data.folders import find_images
from posekit.data.json_values import whole
from posekit.geometry.boxes import around, extent, from_xywh
from posekit.geometry.keypoints import IGNORE, INSTANCE

HALF_PIXEL = 0.5
AREA_OF_BOX = 0.53
"""Share of its box that a person's segment fills, where a file gives no area (the habit of CrowdPose)."""

FURTHEST = 1e7
"""Largest valid coordinate, pixels."""

Float = NDArray[np.float64]


def from_document(
    document: Document,
    file: Path,
    images: Path | None = None,
    category: str | None = None,
    look: bool = True,
    faults: list[DataError] | None = None,
) -> Dataset:
    """The data set of a parsed file.

    Args:
        document: what was parsed.
        file: where it came from.
        images: folder of the images; if not given, the usual folders are tried.
        category: whose points, where several categories have some.
        look: whether to look for the image files; else names are kept.
        faults: list that collects faults of single objects, which are then left out; ``None``: the first kind of fault
            is raised.

    Raises:
        DataError: the file is invalid; all faults of a kind make one error.
    """
    chosen = choose_category(file, document.categories, category)
    skeleton, inferred = read_skeleton(file, chosen)
    points = len(skeleton.points)
    pictures = read_images(file, document.images, faults)
    number = whole(chosen["id"]) or 0
    annotations, notes = _of_category(file, document, number, faults)
    table = _table(file, annotations, faults)
    image, lost = _image_of_each(table, annotations, pictures)
    flat, without = _points(table, annotations, points)
    lost |= without
    xy, visibility = flat[..., :2] + HALF_PIXEL, flat[..., 2].astype(np.int8)
    boxes, area = _boxes(table, annotations, xy, visibility > 0)
    is_crowd = _is_crowd(table, annotations)
    depth, depth_known = read_depths(table, [a.depth for a in annotations], points)
    annotation_id = _annotation_ids(table)
    kept: Any = ~lost if lost.any() else slice(None)
    paths, where = find_images(file, pictures.names, images) if look else (pictures.names, f"images: in {file}")
    return Dataset(
        skeleton=skeleton,
        images=_records(pictures, paths),
        xy=xy[kept],
        visibility=visibility[kept],
        boxes=boxes[kept],
        area=area[kept],
        category=np.zeros(len(annotation_id[kept]), np.int64),
        role=np.where(is_crowd | ~(visibility > 0).any(1), IGNORE, INSTANCE).astype(np.int8)[kept],
        image=image[kept],
        annotation_id=annotation_id[kept],
        inferred=one_line((*inferred, *notes, *pictures.notes, *table.notes, where)),
        is_crowd=is_crowd[kept],
        depth=None if depth is None else depth[kept],
        depth_known=None if depth_known is None else depth_known[kept],
        category_id=number,
        file=str(file),
    )


def _records(images: Images, paths: Sequence[str]) -> tuple[ImageRecord, ...]:
    columns = zip(paths, images.sizes[:, 0].tolist(), images.sizes[:, 1].tolist(), images.ids.tolist(), strict=True)
    return tuple(
        ImageRecord(path=path, width=width, height=height, id=number) for path, width, height, number in columns
    )


def _table(file: Path, annotations: Sequence[AnnotationEntry], faults: list[DataError] | None) -> Table:
    ids, image_ids = [a.id for a in annotations], [a.image_id for a in annotations]
    return Table(file, "annotations", ids, image_ids, faults)


def _of_category(
    file: Path, document: Document, chosen: int, faults: list[DataError] | None
) -> tuple[Sequence[AnnotationEntry], tuple[str, ...]]:
    """The annotations of one category, and notes on the others."""
    everyone = document.annotations
    values = [chosen if a.category_id is None else a.category_id for a in everyone]
    table = _table(file, everyone, faults)
    numbers_, known = whole_numbers(table, "category_id", values)
    bad = np.flatnonzero(~known).tolist()
    if bad:
        came = f"category_id {shown(values[bad[0]])}"
        table.refuse(
            bad, "category_id", "have a 'category_id' that is not a whole number", came, "give the id of a category"
        )
    mine = known & (numbers_ == chosen)
    notes = list(table.notes)
    if not (mine | ~known).all():
        notes.append(f"{(~mine & known).sum()} annotations of other categories are left out")
        named = [number for c in document.categories if (number := whole(c.get("id"))) is not None]
        nameless = np.setdiff1d(numbers_[known], named).tolist()
        if nameless and not mine.any():
            rows = np.flatnonzero(known & ~np.isin(numbers_, named)).tolist()
            what = "name a category that the file does not list"
            came = f"category_id {listed(nameless)}; 'categories' has the ids {listed(named)}"
            table.refuse(rows, "category_id", what, came, "give the id of a category")
        elif nameless:
            notes.append(f"no category has the id {listed(nameless)}, which annotations name as their 'category_id'")
    return (everyone if mine.all() else [everyone[i] for i in np.flatnonzero(mine)]), tuple(notes)


def _image_of_each(
    table: Table, annotations: Sequence[AnnotationEntry], images: Images
) -> tuple[NDArray[np.int64], Mask]:
    """(M,) position of each annotation's image, and whether the annotation is lost because its image is."""
    values = [a.image_id for a in annotations]
    numbers_, known = whole_numbers(table, "image_id", values)
    order = np.argsort(images.ids, kind="stable")
    place = np.minimum(np.searchsorted(images.ids[order], numbers_), len(order) - 1)
    found = known & (images.ids[order][place] == numbers_)
    # Annotations of images with faults are left out; the image has its own error.
    silent = np.isin(numbers_, images.lost) & known & ~found
    bad = np.flatnonzero(~found & ~silent).tolist()
    if bad:
        table.refuse(
            bad,
            "image_id",
            "have an image_id that is not in 'images'",
            f"image_id {shown(values[bad[0]])}",
            "add the images, or remove the annotations",
        )
    return np.where(found, order[place], 0), ~found


def _points(table: Table, annotations: Sequence[AnnotationEntry], points: int) -> tuple[Float, Mask]:
    """(M, K, 3) x, y, visibility as in the file, zeros where nothing is labelled, and which annotations are lost."""
    rows = number_rows("keypoints", [a.keypoints for a in annotations], 3 * points, group=3)
    table.refuse(
        list(rows.shapes),
        "keypoints",
        f"do not have 3 x {points} = {3 * points} numbers in 'keypoints' (x, y, visibility a point)",
        next(iter(rows.shapes.values()), ""),
        f"the category names {points} points",
    )
    table.refuse(
        list(rows.others),
        "keypoints",
        "have 'keypoints' that are not numbers",
        next(iter(rows.others.values()), ""),
        "write 0, 0, 0 for a point without a label",
    )
    if rows.nested:
        table.notes.append(
            f"{len(rows.nested)} annotations have 'keypoints' as lists of [x, y, visibility]: read as such"
        )
    flat = rows.values.reshape(-1, points, 3)
    lost = np.zeros(len(flat), bool)
    lost[[*rows.shapes, *rows.others]] = True
    return flat, lost | _values(table, flat)


def _values(table: Table, flat: Float) -> Mask:
    """(M,) which annotations have impossible points, after refusing them."""
    # Fast path: nearly always there is no fault.
    if flat.min(initial=0) >= -FURTHEST and flat.max(initial=0) <= FURTHEST and np.isin(flat[..., 2], (0, 1, 2)).all():
        return np.zeros(len(flat), bool)
    unlabelled = flat[..., 2] == 0
    blank = unlabelled & np.isnan(flat[..., :2]).any(-1)
    if blank.any():
        flat[blank] = 0
        table.notes.append(f"{blank.any(1).sum()} annotations have NaN for points without a label: read as unlabelled")
    endless = ~np.isfinite(flat).all((-2, -1))
    table.refuse(
        np.flatnonzero(endless).tolist(),
        "keypoints",
        "have points that are NaN or infinite",
        "",
        "write 0, 0, 0 for a point without a label",
    )
    far = ~endless & (np.abs(flat[..., :2]) > FURTHEST).any((-2, -1))
    rows = np.flatnonzero(far).tolist()
    if rows:
        came = f"{np.abs(flat[rows[0], :, :2]).max():g}"
        table.refuse(rows, "keypoints", "have points far outside any image", came, "give pixels")
    flat[endless | far] = 0
    odd = ~np.isin(flat[..., 2], (0, 1, 2))
    rows = np.flatnonzero(odd.any(1)).tolist()
    if rows:
        table.refuse(
            rows,
            "keypoints",
            "have a visibility other than 0 (no label), 1 (hidden), 2 (seen)",
            f"{flat[..., 2][odd][0]:g}",
            "in predictions the third number is a score: give the file of the labels",
        )
        flat[rows] = 0
    return np.asarray(endless | far | odd.any(1), bool)


def _boxes(table: Table, annotations: Sequence[AnnotationEntry], xy: Float, labelled: Mask) -> tuple[Float, Float]:
    """(M, 4) corners and (M,) areas, estimated if the file has none, with a note."""
    rows = number_rows("bbox", [a.bbox for a in annotations], 4)
    with np.errstate(invalid="ignore"):
        far = rows.given & ~(np.abs(rows.values) <= FURTHEST).all(1)
    bad = sorted({*rows.shapes, *rows.others, *np.flatnonzero(far).tolist()})
    if bad:
        came = f"bbox {shown(plain_value(annotations[bad[0]].bbox))}"
        table.refuse(bad, "bbox", "have no four finite numbers in 'bbox'", came, "write [x, y, width, height]")
    given = rows.given.copy()
    given[bad] = False
    xywh = np.where(given[:, None], rows.values, 0)
    boxes = np.asarray(from_xywh(xywh), np.float64)
    boxes[~given] = around(xy[~given], labelled[~given], margin=0.1)
    if not given.all():
        what = "none given, put around the points with a margin of 10 % on each side"
        table.notes.append(f"{(~given).sum()} boxes: {what}")
    area = numbers(
        table,
        "area",
        [a.area for a in annotations],
        FURTHEST**2,
        "have an 'area' that is not a number of at least 0",
        "give it in square pixels, or leave it out",
    )
    missing = np.isnan(area)
    if missing.any():
        area = np.where(missing, AREA_OF_BOX * extent(boxes).prod(-1), area)
        what = f"none given, {AREA_OF_BOX} of the box taken (OKS depends on it)"
        table.notes.append(f"{missing.sum()} areas: {what}")
    return boxes, area


def _is_crowd(table: Table, annotations: Sequence[AnnotationEntry]) -> Mask:
    """(M,) annotations with iscrowd or marked ``ignore``."""
    is_crowd = flags(table, "iscrowd", [a.iscrowd for a in annotations])
    ignored = flags(table, "ignore", [a.ignore for a in annotations])
    if (ignored & ~is_crowd).any():
        table.notes.append(
            f"{(ignored & ~is_crowd).sum()} annotations marked 'ignore' are regions to ignore, like those with iscrowd"
        )
    return is_crowd | ignored


def _annotation_ids(table: Table) -> NDArray[np.int64]:
    """(M,) ids of the annotations; those without one get a new id."""
    given: list[Any] = [0 if number is None else number for number in table.ids]
    ids, known = whole_numbers(table, "id", given)
    bad = np.flatnonzero(~known).tolist()
    if bad:
        what = f"have an 'id' that is not a whole number, such as {shown(given[bad[0]])}"
        table.refuse(bad, "id", what, "", "number them, with at most 64 bits")
    missing = ~known | np.array([number is None for number in table.ids], bool)
    if missing.any():
        free = np.setdiff1d(np.arange(1, len(ids) + 1), ids[~missing])
        ids = ids.copy()
        ids[missing] = free[: missing.sum()]
        if not bad:
            table.notes.append(f"{missing.sum()} annotations have no 'id': numbered")
    return ids
