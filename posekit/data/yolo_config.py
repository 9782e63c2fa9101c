"""The data.yaml of a YOLO-pose set: where its images are, and the skeleton it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from posekit.data.errors import DataError, plain, read_text
from posekit.data.json_values import is_number as number
from posekit.data.namesake import namesake
from posekit.geometry.skeleton import Skeleton, infer_skeleton

EXPECTED = "a YOLO data.yaml with kpt_shape, names and train or val"
SPLITS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def load_yaml(file: Path) -> dict[str, Any]:
    """The content of a data.yaml.

    Raises:
        DataError: it is no mapping, or says nothing of points.
    """
    text = read_text(file, EXPECTED)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise DataError(f"{file}: not YAML{where} ({getattr(error, 'problem', error)}); expected {EXPECTED}") from None
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected {EXPECTED}, got {type(content).__name__}")
    if "kpt_shape" not in content:
        raise DataError(f"{file}: 'kpt_shape' is missing; give [number of points, 2 or 3] (a set without points?)")
    shape = content["kpt_shape"]
    whole = isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) for n in shape)
    if not whole or shape[0] < 1 or shape[1] not in (2, 3):
        raise DataError(f"{file}: expected 'kpt_shape' to be [number of points, 2 or 3], got {shape}")
    return content


def class_names(file: Path, content: dict[str, Any]) -> dict[int, str]:
    """Number of each class to its name.

    Raises:
        DataError: ``names`` is neither a list nor a mapping from numbers.
    """
    names = content.get("names", ["object"])
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(isinstance(n, int) for n in names):
        raise DataError(f"{file}: expected 'names' to be a list, or a mapping from class numbers to names; got {names}")
    return {i: str(name) for i, name in names.items()}


def read_skeleton(file: Path, content: dict[str, Any], number_: int, name: str) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton of one class, and what was inferred.

    Raises:
        DataError: names, ``flip_idx`` or sigmas do not fit ``kpt_shape`` or each other.
    """
    k = content["kpt_shape"][0]
    points, said = _points(file, content.get("kpt_names"), number_, k)
    mirror = None
    if content.get("flip_idx") is not None:
        order = _flip(file, content["flip_idx"], k)
        mirror = _sided(points, order)
    sigmas = content.get("kpt_oks_sigmas")
    if sigmas is not None and not (isinstance(sigmas, list) and len(sigmas) == k and all(map(_positive, sigmas))):
        raise DataError(f"{file}: expected 'kpt_oks_sigmas' to be {k} numbers above 0, got {sigmas}")
    try:
        skeleton, more = infer_skeleton(
            name,
            points,
            mirror=mirror,
            sigmas=dict(zip(points, sigmas, strict=True)) if sigmas else None,
            namesake=namesake(points),
        )
    except ValueError as error:
        raise DataError(f"{file}: {plain(error)}") from None
    return skeleton, (*said, *more)


def _positive(value: Any) -> bool:
    return number(value) and value > 0


def _points(file: Path, names: Any, number_: int, k: int) -> tuple[list[str], tuple[str, ...]]:
    if isinstance(names, dict):
        names = names.get(number_)
    if names is None:
        return [f"point_{i}" for i in range(k)], (f"names of points: none given, called point_0 to point_{k - 1}",)
    if not isinstance(names, list) or len(names) != k:
        raise DataError(f"{file}: expected 'kpt_names' of class {number_} to be {k} names (kpt_shape), got {names}")
    return [str(name) for name in names], ()


def _flip(file: Path, order: Any, k: int) -> list[int]:
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(map(str, range(k))):
        raise DataError(f"{file}: expected 'flip_idx' to hold each of 0 to {k - 1} once, got {order}")
    wrong = [i for i in range(k) if order[order[i]] != i]
    if wrong:
        i = wrong[0]
        raise DataError(
            f"{file}: 'flip_idx' sends {i} to {order[i]}, but {order[i]} to {order[order[i]]}; "
            "a mirror twice must lead back: points trade places in pairs"
        )
    return order


def _sided(points: Sequence[str], order: Sequence[int]) -> list[tuple[str, str]]:
    """Mirror pairs, the left point first where the names tell."""
    pairs = [(points[i], points[j]) for i, j in enumerate(order) if i < j]
    return [(b, a) if "right" in a.lower() else (a, b) for a, b in pairs]


def split_images(file: Path, content: dict[str, Any], split: str) -> list[Path]:
    """The images of a split, in order of their names or of the list that names them.

    Raises:
        DataError: the split is not named, or what it names is missing or holds no images.
    """
    sources = content.get(split)
    if not sources:
        has = [s for s in SPLITS if content.get(s)]
        raise DataError(f"{file}: no split '{split}'; the file has {has}")
    found: list[Path] = []
    for source in sources if isinstance(sources, list) else [sources]:
        place = _place(file, content.get("path"), str(source))
        if place.is_dir():
            found += sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES)
        else:
            lines = read_text(place, "a list of images, one a line").splitlines()
            root = place.parent
            found += [p if (p := Path(line.strip())).is_absolute() else root / p for line in lines if line.strip()]
    if not found:
        raise DataError(f"{file}: split '{split}' ({sources}) holds no images ({', '.join(SUFFIXES)})")
    return found


def _place(file: Path, root: Any, source: str) -> Path:
    """What a path in a data.yaml means: relative to ``path``, which is relative to the file or to where we are."""
    roots = [file.parent / str(root), Path(str(root)), file.parent] if root else [file.parent]
    tried = [place / source for place in roots]
    for place in tried:
        if place.exists():
            return place
    raise DataError(
        f"{file}: '{source}' was not found; tried {', '.join(str(p) for p in dict.fromkeys(tried))}: correct 'path'"
    )
