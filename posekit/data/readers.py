"""Labelled data of any kind that is understood, by the end of its file name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from posekit.data.coco import read_coco
from posekit.data.dataset import Dataset, merged
from posekit.data.errors import DataError


def _coco(path: Path, images: Path | None, category: str | None, split: str | None) -> Dataset:
    return read_coco(path, images=images, category=category)


Reader = Callable[[Path, Path | None, str | None, str | None], Dataset]

READERS: dict[str, Reader] = {".json": _coco}


def _reader(path: Path) -> Reader:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return reader
    raise DataError(f"{path}: no reader for this kind of file; readable are {', '.join(READERS)}")


def read(
    path: Path | str | Sequence[Path | str],
    images: Path | None = None,
    category: str | None = None,
    split: str | None = None,
) -> Dataset:
    """Read labelled data; several files are joined.

    Args:
        path: of a label file, or of several.
        images: folder of the images, where the label file does not lead to it.
        category: whose points, where a file has several categories.
        split: ``"train"`` or ``"val"``, where a file holds both.

    Raises:
        DataError: a file is of no known kind, or not what it should be.
    """
    paths = [path] if isinstance(path, Path | str) else path
    return merged([_reader(Path(p))(Path(p), images, category, split) for p in paths])


def has_split(path: Path | str, split: str) -> bool:
    """Whether a label file holds several splits, and this one among them."""
    return False
