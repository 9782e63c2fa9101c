"""Find the images of a split of a YOLO-pose set, in the layouts of different tools.

Ultralytics: ``train: images/train`` below ``path``. Roboflow: ``train: ../train/images``, though the folder lies beside
the file. CVAT: ``train: train.txt``, whose lines begin with a ``data/`` that does not exist; its keys may be upper
case. Label Studio: folders ``images`` and ``labels`` without a data.yaml; one written for them says ``train: images``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from posekit.data.errors import DataError, listed, plain_path, read_text, shown
from posekit.data.folders import TRIED, is_file
from posekit.data.json_values import kind

SPLITS = ("train", "val", "test")
OTHER_NAMES = {"val": ("valid", "validation"), "train": ("training",), "test": ("testing",)}
"""Other names of splits."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

LONGEST_LISTED = 600
"""Longest of several paths that a message lists; longer ones are shortened."""


def split_images(file: Path, content: dict[str, Any], split: str) -> list[Path]:
    """The images of a split, sorted by name or in the order of a list file.

    Raises:
        DataError: the split is missing, or its path does not exist or holds no images.
    """
    return find_split(file, content, split)[0]


def find_split(file: Path, content: dict[str, Any], split: str) -> tuple[list[Path], tuple[str, ...]]:
    """The images of a split as in `split_images`, and a note on each path that was replaced.

    Raises:
        DataError: as `split_images`.
    """
    key = split_key(content, split)
    if key is None:
        has = [s for s in SPLITS if split_key(content, s)]
        raise DataError(f"{file}: no split '{split}'; the file has {has}")
    sources = content[key] if isinstance(content[key], list) else [content[key]]
    if not all(isinstance(source, str) and source.strip() for source in sources):
        raise DataError(
            f"{file}: expected '{key}' to be a folder, a list of images, or several; got {kind(content[key])}"
        )
    root = content.get("path")
    if root is not None and not isinstance(root, str):
        raise DataError(f"{file}: expected 'path' to be a folder, got {kind(root)}")
    found: list[Path] = []
    notes: list[str] = []
    for source in sources:
        place, as_written = _place(file, root, source.strip(), key)
        if not as_written:
            notes.append(f"{key}: {shown(source)} does not exist, {place} is used")
        if place.is_dir():
            found += sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES)
        elif place.suffix.lower() in SUFFIXES:
            found.append(place)
        else:
            listed_, more = _listed_images(file, place, _roots(file, root))
            found += listed_
            notes += more
    if not found:
        raise DataError(f"{file}: split '{split}' ({shown(content[key])}) holds no images ({', '.join(SUFFIXES)})")
    return found, tuple(notes)


def split_key(content: dict[str, Any], split: str) -> str | None:
    """The key of a split in a data.yaml, ignoring case; ``None`` if there is none."""
    keys = {key.lower(): key for key in content if isinstance(key, str) and content[key]}
    keys |= {key: key for key in keys.values()}
    return next((keys[name] for name in (split, *OTHER_NAMES.get(split, ())) if name in keys), None)


def _roots(file: Path, root: str | None) -> list[Path]:
    """Folders that paths may be relative to: ``path`` (relative to the file or the working directory), or the file."""
    if not root:
        return [file.parent]
    inner = root.replace("\\", "/")
    return [file.parent / inner, Path(inner), file.parent, file.parent / PurePosixPath(inner).name]


def _place(file: Path, root: str | None, source: str, key: str) -> tuple[Path, bool]:
    """The folder or file of a path in a data.yaml, and whether it is as written."""
    roots, written = _roots(file, root), source.replace("\\", "/")
    for place in (start / written for start in roots):
        if _exists(place):
            return place, True
    for other in _other_paths(written):
        for place in (start / other for start in roots):
            if _exists(place):
                return place, False
    tried = listed(list(dict.fromkeys(plain_path(start / written, LONGEST_LISTED) for start in roots)))
    fix = "'path'" if root else f"'{key}'"
    raise DataError(f"{file}: {shown(source)} was not found; tried {tried}: correct {fix}")


def _other_paths(source: str) -> Iterator[str]:
    """Alternatives to a path that does not exist: beside the file instead of above it, or its last components."""
    parts = [part for part in PurePosixPath(source).parts if part not in ("/", ".")]
    while parts and parts[0] == "..":
        parts = parts[1:]
        yield "/".join(parts)
    while len(parts) > 1:
        parts = parts[1:]
        # A bare "images" of somebody else's folders would say nothing of the split.
        if {*parts} - {"images"}:
            yield "/".join(parts)


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):
        return False


def _listed_images(file: Path, place: Path, roots: Sequence[Path]) -> tuple[list[Path], tuple[str, ...]]:
    """The images listed in a text file, one in each line, and a note if their paths were replaced."""
    text = read_text(place, "a list of images, one a line")
    lines = [line.strip().replace("\\", "/") for line in text.splitlines() if line.strip()]
    if any("\0" in line for line in lines):
        raise DataError(f"{file}: expected a list of images, one a line, in {place}; it is not a text file")
    some = lines[:: max(1, len(lines) // TRIED)][:TRIED]
    best, chosen = 0, (place.parent, 0)
    for cut in range(max(len(PurePosixPath(line).parts) for line in some)):
        for start in dict.fromkeys((place.parent, *roots, Path())):
            found = sum(is_file(_without(start, line, cut)) for line in some)
            if found > best:
                best, chosen = found, (start, cut)
        if best == len(some):
            break
    if not best:
        raise DataError(
            f"{file}: none of the {len(lines)} images that {place} lists exists, such as {shown(lines[0])}; put them "
            "there, or export the set with its images"
        )
    start, cut = chosen
    paths = [_without(start, line, cut) for line in lines]
    if cut == 0 and start == place.parent:
        return paths, ()
    return paths, (f"{place.name}: {shown(some[0])} and others do not exist, {_without(start, some[0], cut)} is used",)


def _without(start: Path, line: str, cut: int) -> Path:
    """The path of a list entry below a folder, without its first components."""
    return start / line if not cut else start.joinpath(*PurePosixPath(line).parts[cut:])
