"""Find the images of a label file: the usual folders are tried in order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from posekit.data.errors import DataError

TRIED = 20
"""Number of file names that are tried in each folder."""


def find_images(file: Path, names: Sequence[str], images: Path | None = None) -> tuple[list[str], str]:
    """Paths of the images of a label file.

    If ``images`` is given, only this folder is tried; else the folder of the label file, ``images/`` in it,
    ``../images``, a folder with the name of the split in each of them, and ``..``; each with the full names and, if
    these are unique, with the base names.

    Args:
        file: the label file.
        names: of the images, as the label file has them.
        images: folder given by the user.

    Returns:
        One path for each name (in the most likely folder where none of the names is found), and a note on where
        they are.

    Raises:
        DataError: ``images`` is not a folder.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"{images}: no such folder; expected the images of {file} there")
    names = [name.replace("\\", "/") for name in names]
    last = [name.rsplit("/", 1)[-1] for name in names]
    # Two images of the same name in different folders are never taken for one file.
    forms = (names, last) if len(set(last)) == len(set(names)) else (names,)
    step = max(1, len(names) // TRIED)
    best, folder, chosen = 0, images or file.parent, names
    for place in _locations(file, images):
        for form in forms:
            found = sum(is_file(place / name) for name in form[::step][:TRIED])
            if found > best:
                best, folder, chosen = found, place, form
        if best == len(names[::step][:TRIED]):
            break
    said = f"images: in {folder}" if best else f"images: none was found in or near {folder}"
    if not best and len(forms) == 1:
        said += "; some have the same base name in different folders, so full names must match"
    return _joined(folder, chosen), said


def is_file(path: Path) -> bool:
    """Whether the file exists; false for invalid names."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether the folder exists; false for invalid names."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _joined(folder: Path, names: Sequence[str]) -> list[str]:
    """``str(folder / name)`` of many names."""
    parents: dict[str, str] = {}
    paths = []
    for name in names:
        parent, _, last = name.rpartition("/")
        if last in ("", ".") or (not parent and name.startswith("/")):
            paths.append(str(folder / name))
            continue
        if parent not in parents:
            start = str(folder / parent)
            parents[parent] = "" if start == "." else start.rstrip(os.sep) + os.sep
        paths.append(parents[parent] + last)
    return paths


def _locations(file: Path, images: Path | None) -> list[Path]:
    """Folders that may hold the images, the likely ones first."""
    stem = file.name.removesuffix(".json").removesuffix(".coco")
    last = stem.replace("-", "_").rsplit("_", 1)[-1]
    roots = [images] if images is not None else [file.parent, file.parent / "images", file.parent.parent / "images"]
    splits = [root / name for root in (*roots, file.parent.parent) for name in dict.fromkeys((last, stem)) if name]
    return [*roots, *splits, *([] if images is not None else [file.parent.parent])]
