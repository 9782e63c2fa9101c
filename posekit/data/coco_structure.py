"""What a COCO key-point file must look like; every fault of a kind is told at once, with annotation ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.errors import DataError, listed, read_text

EXPECTED = "COCO JSON with images, annotations and categories"
Entry = Mapping[str, Any]


def load_json(file: Path) -> dict[str, Any]:
    """The content of a COCO file, with its three lists of objects in place.

    Raises:
        DataError: the file is not that.
    """
    text = read_text(file, EXPECTED)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}: not JSON at line {error.lineno}, column {error.colno} ({error.msg}); expected {EXPECTED}"
        ) from None
    except RecursionError:
        raise DataError(f"{file}: the JSON is nested too deeply; expected {EXPECTED}") from None
    if isinstance(content, list):
        raise DataError(f"{file}: expected {EXPECTED}, got a list (a results file?); give the file of the ground truth")
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected {EXPECTED}, got {type(content).__name__}")
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DataError(f"{file}: expected {EXPECTED}; '{key}' is missing, the file has {sorted(content)}")
        entries = content[key]
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise DataError(f"{file}: expected '{key}' to be a list of objects, got {_kind(entries)}")
    return content


def _kind(value: Any) -> str:
    inner = sorted({type(v).__name__ for v in value}) if isinstance(value, list) else []
    return f"{type(value).__name__} of {', '.join(inner)}" if inner else type(value).__name__


def number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, Real) and not isinstance(value, bool)


def refuse(file: Path, entries: Sequence[Entry], bad: Callable[[Entry], Any], key: str, what: str, fix: str) -> None:
    """Raise one error for all the entries that are bad.

    Args:
        file: that holds them.
        entries: annotations or images.
        bad: whether an entry is, or the offending value.
        key: of the entry that is bad.
        what: is expected; the ids come before it.
        fix: what to do.
    """
    wrong = [(i, entry) for i, entry in enumerate(entries) if bad(entry)]
    if not wrong:
        return
    who = listed([entry.get("id", f"number {i} of the list") for i, entry in wrong])
    got = bad(wrong[0][1])
    came = "" if got is True else f"; the first has {got}"
    error = DataError(f"{file}: {len(wrong)} of {len(entries)} {what}: ids {who}{came}; {fix}")
    raise error.about((entry for _, entry in wrong), key)


def check_images(file: Path, images: Sequence[Entry]) -> None:
    """Refuse images without an id or a name, and ids used twice.

    Raises:
        DataError: there are such images, or no images at all.
    """
    if not images:
        raise DataError(f"{file}: 'images' is empty; expected at least one image")
    no_id, no_name = "images lack a whole number as 'id'", "images lack a 'file_name'"
    refuse(file, images, lambda e: not isinstance(e.get("id"), int), "id", no_id, "give one")
    refuse(file, images, lambda e: not isinstance(e.get("file_name"), str), "file_name", no_name, "name the file")
    refuse(
        file,
        images,
        lambda e: any(e.get(k) is not None and not (number(e[k]) and e[k] > 0) for k in ("width", "height")),
        "width",
        "images have a width or height that is no positive number",
        "give pixels, or leave both out",
    )
    seen: set[int] = set()
    twice = [e for e in images if e["id"] in seen or seen.add(e["id"])]  # type: ignore[func-returns-value]
    if twice:
        ids = listed([e["id"] for e in twice])
        error = DataError(f"{file}: {len(twice)} image ids are used twice: {ids}; give every image its own id")
        raise error.about(twice, "id")


def check_annotations(file: Path, annotations: Sequence[Entry], images: Mapping[int, int], points: int) -> None:
    """Refuse annotations of unknown images, with another number of points, or with values that are no numbers.

    Args:
        file: that holds them.
        annotations: of one category.
        images: image id to position.
        points: K.

    Raises:
        DataError: there are such annotations.
    """

    def flat(entry: Entry) -> Any:
        return entry.get("keypoints") or []

    def unlike(entry: Entry) -> Any:
        values = flat(entry)
        if not isinstance(values, list):
            return f"keypoints of type {type(values).__name__}"
        return f"{len(values)} numbers" if values and len(values) != 3 * points else None

    def not_four(entry: Entry) -> Any:
        box = entry.get("bbox")
        good = box is None or (isinstance(box, list) and len(box) == 4 and all(map(number, box)))
        return None if good and (box is None or np.isfinite(box).all()) else f"bbox {box}"

    refuse(
        file,
        annotations,
        lambda e: None if _hashable(e.get("image_id")) in images else f"image_id {e.get('image_id')}",
        "image_id",
        "annotations belong to no image in 'images'",
        "add the images, or remove the annotations",
    )
    refuse(
        file,
        annotations,
        unlike,
        "keypoints",
        f"annotations do not have 3 x {points} = {3 * points} numbers in 'keypoints' (x, y, visibility a point)",
        f"the category names {points} points",
    )
    refuse(
        file,
        annotations,
        lambda e: next((f"keypoints[{i}] = {v!r}" for i, v in enumerate(flat(e)) if not number(v)), None),
        "keypoints",
        "annotations have 'keypoints' that are no numbers",
        "write 0, 0, 0 for a point without a label",
    )
    four = "annotations have no four finite numbers in 'bbox'"
    refuse(file, annotations, not_four, "bbox", four, "write [x, y, width, height]")
    refuse(
        file,
        annotations,
        lambda e: None if e.get("area") is None or (number(e["area"]) and e["area"] >= 0) else f"area {e['area']!r}",
        "area",
        "annotations have an 'area' that is no number from 0 up",
        "give square pixels, or leave it out",
    )


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def check_values(file: Path, annotations: Sequence[Entry], ids: Sequence[Any], points: np.ndarray) -> None:
    """Refuse points that are not finite, and visibilities other than 0, 1, 2.

    Args:
        file: that holds them.
        annotations: M of one category.
        ids: theirs.
        points: (M, K, 3) x, y, visibility as in the file.

    Raises:
        DataError: there are such annotations.
    """
    labelled = points[..., 2] != 0
    endless = ~np.isfinite(points).all(-1)
    rows = np.flatnonzero(endless.any(1))
    if len(rows):
        who = listed([ids[r] for r in rows])
        raise DataError(
            f"{file}: {len(rows)} annotations have points that are NaN or infinite: ids {who}; "
            "write 0, 0, 0 for a point without a label"
        ).about((annotations[r] for r in rows), "keypoints")
    odd = labelled & ~np.isin(points[..., 2], (1, 2))
    rows = np.flatnonzero(odd.any(1))
    if len(rows):
        who, value = listed([ids[r] for r in rows]), points[..., 2][odd][0]
        raise DataError(
            f"{file}: {len(rows)} annotations have a visibility other than 0 (no label), 1 (hidden), 2 (seen): "
            f"ids {who}; the first has {value:g}; are these predictions? their third number is a score"
        ).about((annotations[r] for r in rows), "keypoints")
