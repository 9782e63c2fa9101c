"""Choose the category of a COCO file, and read its skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posekit.data.errors import DataError, plain, shown
from posekit.data.json_values import decimal, is_number, is_text, kind, whole
from posekit.data.known_skeletons import known_skeleton
from posekit.geometry.skeleton import Skeleton, infer_skeleton

Entry = Mapping[str, Any]


def choose_category(file: Path, categories: Sequence[Entry], wish: str | None) -> Entry:
    """The category named ``wish``, or the only one with points.

    Raises:
        DataError: there is none, or there are several and none was chosen.
    """
    pointed = [c for c in categories if c.get("keypoints")]
    said = ", ".join(f"{shown(c.get('name'))} ({_count(c['keypoints'])})" for c in pointed) or "none"
    if wish is not None:
        pointed = [c for c in pointed if isinstance(c.get("name"), str | int) and str(c["name"]) == wish]
        if not pointed:
            raise DataError(f"{file}: no category {wish!r} with points; the file has: {said}")
    if not pointed:
        raise DataError(
            f"{file}: no category names its points; give one 'keypoints': [name, ...], in the order of the labels"
        )
    if len(pointed) > 1:
        raise DataError(f"{file}: several categories have points: {said}; choose one (--data.category NAME)")
    category = pointed[0]
    about = f"{file}: category {shown(category.get('name'))}"
    if whole(category.get("id")) is None:
        raise DataError(f"{about} lacks a whole number as 'id'; it has {kind(category.get('id'))}")
    names = category["keypoints"]
    if not isinstance(names, list) or not all(map(is_text, names)):
        name = shown(category.get("name"))
        raise DataError(f"{file}: expected 'keypoints' of category {name} to be names, got {kind(names)}")
    return category


def _name(category: Entry) -> str:
    name = category.get("name", "object")
    return str(name) if is_text(name) or isinstance(name, int | float) else shown(name)


def _count(names: Any) -> str:
    return f"{len(names)} points" if isinstance(names, list) else kind(names)


def read_skeleton(file: Path, category: Entry) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton of a category, and notes on what was inferred.

    Keys that are read besides the names: ``skeleton`` (1-based pairs), ``flip_pairs`` (names, or 0-based indices),
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
            _name(category),
            points,
            mirror=mirror,
            bones=bones,
            sigmas=_sigmas(category, points),
            known=known_skeleton(points),
            symmetry=category.get("symmetry"),
        )
    except ValueError as error:
        raise DataError(f"{file}: category {shown(category.get('name'))}: {plain(error)}") from None
    return skeleton, said


def _pairs(pairs: Any, points: Sequence[str], *, first: int, what: str) -> list[tuple[str, str]]:
    """Pairs of names, from names or from indices that count from ``first``."""
    if not isinstance(pairs, list) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise ValueError(f"expected '{what}' to be a list of pairs, got {kind(pairs)}")
    known, last = set(points), first + len(points) - 1
    named = [[_point(end, known, points, first) for end in pair] for pair in pairs]
    bad = [
        end for pair, names in zip(pairs, named, strict=True) for end, n in zip(pair, names, strict=True) if n is None
    ]
    if bad:
        raise ValueError(f"'{what}' has {shown(bad)}; expected names of points, or indices from {first} to {last}")
    return [(str(a), str(b)) for a, b in named]


def _point(end: Any, known: set[str], points: Sequence[str], first: int) -> str | None:
    """The point that one entry of a pair refers to; ``None`` if there is no such point."""
    if isinstance(end, str):
        return end if end in known else None
    index = whole(end)
    return points[index - first] if index is not None and 0 <= index - first < len(points) else None


def _sigmas(category: Entry, points: Sequence[str]) -> dict[str, float] | None:
    for key in ("sigmas", "kpt_oks_sigmas"):
        values = category.get(key)
        if values is None:
            continue
        if not isinstance(values, list) or len(values) != len(points) or not all(map(is_number, values)):
            raise ValueError(f"expected '{key}' to be {len(points)} numbers, one a point; got {kind(values)}")
        return {name: float("nan") if v is None else v for name, v in zip(points, map(decimal, values), strict=True)}
    return None
