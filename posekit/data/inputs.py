"""Input files of a data set are never overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError


def refuse_overwriting(target: Path, dataset: Dataset) -> None:
    """Refuse to write a file that is one of those a data set was read from: a label file or an image.

    Links count as their targets.

    Args:
        target: to be written.
        dataset: whose inputs stay as they are.

    Raises:
        DataError: the file is an input.
    """
    if not _holds(target.exists):
        return
    # Files that were joined stand in one text; a name may have the same comma in it.
    files = [dataset.file, *dataset.file.split(", ")]
    # A pack's images are in the pack, and have no files.
    images = [record.path for record in dataset.images if record.load is None]
    name = target.resolve().name
    alike = [path for path in images if path.endswith((name, target.name)) or _holds(Path(path).is_symlink)]
    for path in map(Path, (*files, *alike)):
        if _holds(path.exists) and path.samefile(target):
            raise DataError(f"{target}: the data set was read from this file; give another file")


def _holds(question: Callable[[], bool]) -> bool:
    """The answer of the file system; no of names that no file can have."""
    try:
        return question()
    except (OSError, ValueError):
        return False
