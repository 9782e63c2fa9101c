"""The images of a COCO file: ids, names and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco_columns import Mask, Table, whole_numbers
from posekit.data.coco_structure import ImageEntry
from posekit.data.errors import DataError, listed, shown
from posekit.data.json_values import decimal, is_text, kind

LARGEST = 10**7
"""Largest valid width and height, pixels."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of a file, N of them.

    Args:
        names: as the file has them.
        ids: (N,) numbers, each once.
        sizes: (N, 2) width and height, zeros where they are unknown.
        lost: ids of images that are left out because of faults.
        notes: on converted values.
    """

    names: Sequence[str]
    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    lost: NDArray[np.int64]
    notes: tuple[str, ...]


def read_images(file: Path, images: Sequence[ImageEntry], faults: list[DataError] | None = None) -> Images:
    """Ids, names and sizes of images.

    Args:
        file: that holds them.
        images: of the file.
        faults: list that collects faults, as in `posekit.data.coco_dataset.from_document`.

    Raises:
        DataError: an image has no id or no name, two have the same id, a size is no size, or there are no images.
    """
    if not images:
        raise DataError(f"{file}: 'images' is empty; expected at least one image")
    table = Table(file, "images", [entry.id for entry in images], faults=faults)
    ids, numbered = whole_numbers(table, "id", table.ids)
    bad = np.flatnonzero(~numbered).tolist()
    if bad:
        came = kind(table.ids[bad[0]])
        table.refuse(bad, "id", "have no whole number as 'id'", came, "give one of at most 64 bits")
    good = numbered & _named(table, [entry.file_name for entry in images])
    sizes = _sizes(table, images)
    rows = np.flatnonzero(numbered)
    first = np.zeros(len(ids), bool)
    first[rows[np.unique(ids[rows], return_index=True)[1]]] = True
    twice = np.flatnonzero(good & ~first).tolist()
    if twice:
        numbers = listed(ids[twice].tolist())
        error = DataError(f"{file}: {len(twice)} image ids are used twice: {numbers}; give every image its own id")
        table.keep(error.about(({"id": table.ids[i]} for i in twice), "id"))
        good = good & first
    if not good.any():
        raise DataError(f"{file}: none of its {len(images)} images is valid")
    return Images(
        names=[entry.file_name for entry, fine in zip(images, good.tolist(), strict=True) if fine],
        ids=ids[good],
        sizes=sizes[good],
        lost=ids[numbered & ~good],
        notes=tuple(table.notes),
    )


def _named(table: Table, names: Sequence[Any]) -> Mask:
    """(N,) which images have a name that a file can have."""
    named = np.array([isinstance(name, str) and bool(name) for name in names], bool)
    rows = np.flatnonzero(~named).tolist()
    table.refuse(rows, "file_name", "lack a 'file_name'", kind(names[rows[0]]) if rows else "", "name the file")
    possible = np.array([not isinstance(name, str) or _possible(name) for name in names], bool)
    rows = np.flatnonzero(named & ~possible).tolist()
    came = kind(names[rows[0]]) if rows else ""
    table.refuse(rows, "file_name", "have an invalid 'file_name'", came, "name the file")
    both: Mask = named & possible
    return both


def _possible(name: str) -> bool:
    """Whether a name has no null characters and no unpaired surrogates."""
    return "\0" not in name and is_text(name)


def _sizes(table: Table, images: Sequence[ImageEntry]) -> NDArray[np.int64]:
    """(N, 2) width and height; zeros if the file lacks one of them."""
    sizes = np.zeros((len(images), 2), np.int64)
    bad: dict[int, str] = {}
    for column, key in enumerate(("width", "height")):
        values = [getattr(image, key) for image in images]
        if set(map(type, values)) == {int} and min(values) > 0 and max(values) <= LARGEST:
            sizes[:, column] = values
            continue
        read = [decimal(value) for value in values]
        for row, number in enumerate(read):
            if number is not None and 1 <= number <= LARGEST and number == int(number):
                sizes[row, column] = int(number)
            elif values[row] is not None:
                bad.setdefault(row, f"{key} {shown(values[row])}")
        texts = [row for row, value in enumerate(values) if isinstance(value, str) and read[row] is not None]
        table.note(key, values, texts, "numbers")
    if bad:
        rows = sorted(bad)
        what = "have a width or height that is not a positive number"
        table.refuse(rows, "width", what, bad[rows[0]], "give whole pixels, or leave both out")
        sizes[rows] = 0
    sizes[(sizes == 0).any(1)] = 0
    return sizes
