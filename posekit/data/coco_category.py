"""Which category of a COCO file is meant, and the skeleton it describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posekit.data.errors import DataError, plain
from posekit.data.json_values import is_number as number
from posekit.data.namesake import namesake
from posekit.geometry.skeleton import Skeleton, infer_skeleton

Entry = Mapping[str, Any]


def choose_category(file: Path, categories: Sequence[Entry], wish: str | None) -> Entry:
    """The category called ``wish``, or else the only one that names points.

    Raises:
        DataError: there is none, or there are several and nobody said which.
    """
    pointed = [c for c in categories if c.get("keypoints")]
    said = ", ".join(f"{c.get('name')!r} ({len(c['keypoints'])} points)" for c in pointed) or "none"
    if wish is not None:
        pointed = [c for c in pointed if str(c.get("name")) == wish]
        if not pointed:
            raise DataError(f"{file}: no category {wish!r} with points; the file has: {said}")
    if not pointed:
        raise DataError(
            f"{file}: no category names its points; give one 'keypoints': [name, ...], in the order of the labels"
        )
    if len(pointed) > 1:
        raise DataError(f"{file}: several categories have points: {said}; choose one (--data.category NAME)")
    category = pointed[0]
    if not isinstance(category.get("id"), int):
        raise DataError(f"{file}: category {category.get('name')!r} lacks a whole number as 'id'")
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise DataError(f"{file}: expected 'keypoints' of category {category.get('name')!r} to be names, got {names}")
    return category


def read_skeleton(file: Path, category: Entry) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton of a category, and one sentence for each thing that was inferred.

    Understood besides the names: ``skeleton`` (1-based pairs), ``flip_pairs`` (names, or 0-based indices),
    ``sigmas`` or ``kpt_oks_sigmas``, ``symmetry``.

    Raises:
        DataError: the category contradicts itself.
    """
    points = category["keypoints"]
    try:
        bones = _pairs(category.get("skeleton") or [], points, first=1, what="skeleton")
        mirror = None
        if category.get("flip_pairs") is not None:
            mirror = _pairs(category["flip_pairs"], points, first=0, what="flip_pairs")
        skeleton, said = infer_skeleton(
            str(category.get("name", "object")),
            points,
            mirror=mirror,
            bones=bones,
            sigmas=_sigmas(category, points),
            namesake=namesake(points),
        )
        if category.get("symmetry") is not None:
            skeleton = dataclasses.replace(skeleton, symmetry=category["symmetry"])
            said += (f"symmetry, from the file: {skeleton.symmetry}",)
    except ValueError as error:
        raise DataError(f"{file}: category {category.get('name')!r}: {plain(error)}") from None
    return skeleton, said


def _pairs(pairs: Any, points: Sequence[str], *, first: int, what: str) -> list[tuple[str, str]]:
    """Pairs of names, from names or from indices that count from ``first``."""
    if not isinstance(pairs, list) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise ValueError(f"expected '{what}' to be a list of pairs, got {pairs}")
    flat = [end for pair in pairs for end in pair]
    last = first + len(points) - 1
    bad = [end for end in flat if not (end in points if isinstance(end, str) else _whole(end) and first <= end <= last)]
    if bad:
        raise ValueError(f"'{what}' has {bad}; expected names of points, or indices from {first} to {last}")
    names = [end if isinstance(end, str) else points[end - first] for end in flat]
    return list(zip(names[::2], names[1::2], strict=True))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sigmas(category: Entry, points: Sequence[str]) -> dict[str, float] | None:
    for key in ("sigmas", "kpt_oks_sigmas"):
        values = category.get(key)
        if values is None:
            continue
        if not isinstance(values, list) or len(values) != len(points) or not all(map(number, values)):
            raise ValueError(f"expected '{key}' to be {len(points)} numbers, one a point; got {values}")
        return dict(zip(points, map(float, values), strict=True))
    return None
