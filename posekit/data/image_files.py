"""Find image files by paths, folders and glob patterns; and names for the output files of each."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from posekit.data.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def image_files(sources: Sequence[str | Path], skip: Path | None = None) -> list[Path]:
    """The image files of paths, folders and glob patterns, in order, each once.

    Args:
        sources: at least one.
        skip: the folder for results, whose images are left out. Folders with the ``results.json`` of earlier
            predictions are always left out.

    Raises:
        DataError: a source has no image.
    """
    files: dict[str, Path] = {}
    hidden = None if skip is None else skip.resolve()
    for source in map(str, sources):
        found = sorted(_files(source, hidden))
        if not found:
            raise DataError(f"{source}: no image there (looked for {', '.join(SUFFIXES)})")
        for file in found:
            # Two paths to one file, such as a link or "./", are one image.
            files.setdefault(os.path.realpath(file), file)
    return list(files.values())


def _files(source: str, hidden: Path | None) -> Iterator[Path]:
    path = Path(source)
    if path.is_file():
        yield path
        return
    named = path.resolve() if path.is_dir() else None
    names = path.rglob("*") if named else map(Path, glob.glob(source, recursive=True))  # noqa: PTH207
    known: dict[Path, bool] = {}
    for file in names:
        if file.suffix.lower() not in SUFFIXES or not file.is_file():
            continue
        parents = file.resolve().parents
        # A folder of drawings that is given explicitly is not skipped.
        below = [p for p in parents if named is None or (p != named and p.is_relative_to(named))]
        if hidden not in parents and not any(_holds_predictions(p, known) for p in below):
            yield file


def _holds_predictions(folder: Path, known: dict[Path, bool]) -> bool:
    """Whether the folder holds the drawings of `posekit predict`."""
    if folder not in known:
        file = folder / "results.json"
        known[folder] = file.is_file() and _written_by_predict(file)
    return known[folder]


def _written_by_predict(file: Path) -> bool:
    with file.open("rb") as opened:
        start = opened.read(1 << 16)
    return start.strip() == b"[]" or b'"point_names"' in start


def output_names(files: Sequence[Path], folder: Path, suffix: str) -> list[Path]:
    """One output file for each file: all different, and none of them an input file.

    Args:
        files: each once.
        folder: of the new files.
        suffix: of the new files, with its dot.

    Returns:
        ``folder/stem.suffix`` if all stems differ, else with the folders of the files below their common parent;
        ``_pose`` is added if that would be an input file.
    """
    stems = [file.stem for file in files]
    if len({stem.lower() for stem in stems}) == len(stems):
        made = [folder / f"{stem}{suffix}" for stem in stems]
    else:
        parents = [Path(os.path.realpath(file)).parent for file in files]
        root = Path(os.path.commonpath(parents))
        made = [
            folder / parent.relative_to(root) / f"{f.stem}{suffix}" for parent, f in zip(parents, files, strict=True)
        ]
    taken = {os.path.realpath(file) for file in files}
    names: list[Path] = []
    for file, name in zip(files, made, strict=True):
        tries = (name, name.with_name(f"{file.stem}_pose{suffix}"), name.with_name(f"{file.name}{suffix}"))
        numbered = (name.with_name(f"{file.stem}_{n}{suffix}") for n in range(2, len(files) + 2))
        chosen = next(path for path in (*tries, *numbered) if os.path.realpath(path) not in taken)
        taken.add(os.path.realpath(chosen))
        names.append(chosen)
    return names
