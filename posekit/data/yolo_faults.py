"""Read a YOLO-pose set and collect its faults: label files and images at fault are reported and left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed, read_text
from posekit.data.image import image_size
from posekit.data.yolo import from_yaml, label_path, label_rows, parse_rows, visibility_of
from posekit.data.yolo_config import class_names, load_yaml, read_skeleton
from posekit.data.yolo_images import split_images

_OPTIONAL = ("kpt_names", "flip_idx", "kpt_oks_sigmas")
"""Keys of a data.yaml that are not needed to go on."""


def read_yolo_past(
    file: Path, split: str = "train", category: str | None = None
) -> tuple[Dataset | None, list[DataError]]:
    """The data of a split without faults, or ``None``; and its faults, one for each kind.

    Args:
        file: the data.yaml.
        split: as in `read_yolo`.
        category: as in `read_yolo`.
    """
    try:
        content = load_yaml(file)
    except DataError as error:
        return None, [error]
    try:
        return from_yaml(content, file, split, category), []
    except DataError as error:
        first = error
    faults = list(_mend_yaml(file, content))
    try:
        paths = split_images(file, content, split)
    except DataError as error:
        return None, [*faults, error]
    bad = _bad_images(paths, content)
    faults += _together([fault for several in bad.values() for fault in several])
    if len(bad) == len(paths):
        return None, faults
    try:
        return from_yaml(content, file, split, category, leave_out=frozenset(bad)), faults or [first]
    except DataError as error:
        return None, [*faults, error]


def _mend_yaml(file: Path, content: dict[str, Any]) -> Iterator[DataError]:
    """Report each invalid key of a data.yaml, and remove it."""
    try:
        class_names(file, content)
    except DataError as error:
        yield error
        content["names"] = [f"class {i}" for i in range(1000)]
    plain = {key: value for key, value in content.items() if key not in _OPTIONAL}
    for key in [key for key in _OPTIONAL if key in content]:
        for number in content[key] if key == "kpt_names" and isinstance(content[key], dict) else (0,):
            try:
                read_skeleton(file, plain | {key: content[key]}, number, "object")
            except DataError as error:
                yield error.about((), key)
                content.pop(key)
                break


def _bad_images(paths: list[Path], content: dict[str, Any]) -> dict[Path, list[DataError]]:
    """Unreadable images and images with invalid labels, with all faults."""
    points, dims = content["kpt_shape"]
    classes = class_names(Path(), content)
    bad: dict[Path, list[DataError]] = {}
    for path in paths:
        faults = list(_label_faults(label_path(path), points, dims, classes))
        try:
            image_size(path)
        except DataError as error:
            faults.append(error)
        if faults:
            bad[path] = faults
    return bad


def _label_faults(file: Path, points: int, dims: int, classes: dict[int, str]) -> Iterator[DataError]:
    """The faults of each line of a label file."""
    width = 5 + points * dims

    def look(rows: np.ndarray) -> None:
        visibility_of(file, rows[:, 5:].reshape(len(rows), points, dims))
        unknown = sorted(set(rows[:, 0].tolist()) - set(classes))
        if unknown:
            listing = [int(c) if c.is_integer() else c for c in unknown]
            raise DataError(f"{file}: labels have classes {listing}, which 'names' of the data.yaml lacks; add them")

    try:
        look(label_rows(file, width))
        return
    except DataError as error:
        whole = error
    try:
        lines = read_text(file, "YOLO-pose labels").splitlines()
    except DataError:
        lines = []
    found = False
    for i, line in enumerate(lines):
        try:
            # Blank lines before it keep its number.
            look(parse_rows(file, [*[""] * i, line], width))
        except DataError as error:
            found = True
            yield error
    if not found:
        yield whole


def _together(faults: list[DataError]) -> Iterator[DataError]:
    """One error for each kind: errors that differ only in file and numbers are joined."""
    kinds: dict[str, list[tuple[str, DataError]]] = defaultdict(list)
    for fault in faults:
        file, _, what = str(fault).partition(": ")
        kinds[re.sub("[0-9.]+", "#", what)].append((file, fault))
    for several in kinds.values():
        (file, first), others = several[0], {name for name, _ in several}
        if len(several) == 1:
            yield first
            continue
        also = sorted(others - {file})
        where = f", in {listed([Path(name).name for name in also])} as well" if also else ""
        yield DataError(f"{first} ({len(several)} such{where})")
