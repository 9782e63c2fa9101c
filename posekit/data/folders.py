"""Where the images of a label file are: the places people put them, tried in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posekit.data.errors import DataError

TRIED = 20
"""So many file names decide which folder it is."""


def find_images(file: Path, names: Sequence[str], images: Path | None = None) -> tuple[list[str], str]:
    """Paths of images that a label file names.

    Tried are: ``images`` where it is given; else the folder of the label file, ``images/`` in it, ``../images``,
    a folder called like the split in each of them, and ``..``; each with the names as they are and with their last
    part alone.

    Args:
        file: the label file.
        names: of the images, as the label file has them.
        images: folder that the user names.

    Returns:
        One path for each name (in the most likely folder where none of the names is found), and a sentence on
        where they are.

    Raises:
        DataError: ``images`` is no folder.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"{images}: no such folder; expected the images of {file} there")
    names = [name.replace("\\", "/") for name in names]
    some = names[:: max(1, len(names) // TRIED)][:TRIED]
    best, folder, bare = 0, images or file.parent, False
    for place in _places(file, images):
        for shortened in (False, True):
            found = sum((place / (Path(n).name if shortened else n)).is_file() for n in some)
            if found > best:
                best, folder, bare = found, place, shortened
        if best == len(some):
            break
    paths = [str(folder / (Path(n).name if bare else n)) for n in names]
    said = f"images: in {folder}" if best else f"images: none of those tried was found, looked around {folder}"
    return paths, said


def _places(file: Path, images: Path | None) -> list[Path]:
    """Folders that may hold the images, the likely ones first."""
    stem = file.name.removesuffix(".json").removesuffix(".coco")
    last = stem.replace("-", "_").rsplit("_", 1)[-1]
    roots = [images] if images is not None else [file.parent, file.parent / "images", file.parent.parent / "images"]
    splits = [root / name for root in (*roots, file.parent.parent) for name in dict.fromkeys((last, stem)) if name]
    return [*roots, *splits, *([] if images is not None else [file.parent.parent])]
