"""Match predictions with the images of a data set: by file name, or else by id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed, shown

H = TypeVar("H", bound=Hashable)


def origins(dataset: Dataset) -> tuple[list[tuple[str, int]], NDArray[np.int64]]:
    """Names and ids of the original files of a data set's images, and the index of the file of each image."""
    place: dict[tuple[str, int], int] = {}
    which = [place.setdefault(image.origin, len(place)) for image in dataset.images]
    return list(place), np.array(which, np.int64)


def by_number(file: Path, numbers: NDArray[np.int64], files: Sequence[tuple[str, int]]) -> NDArray[np.int64]:
    """(P,) position in ``files`` of the file with each id; -1 if there is none.

    Args:
        file: of the predictions, for the message.
        numbers: (P,) ids of images.
        files: names and ids, from `origins`.

    Raises:
        DataError: two files have the same id.
    """
    known = np.array([number for _, number in files], np.int64)
    order = np.argsort(known, kind="stable")
    ranked = known[order]
    twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    if len(twice):
        raise DataError(
            f"{file}: uses ids of images, but the data has {len(twice)} ids for two files each, such as "
            f"{listed(twice.tolist())}; give each prediction its file_name, or each file ids of its own"
        )
    at = np.minimum(np.searchsorted(ranked, numbers), len(ranked) - 1)
    return np.where(ranked[at] == numbers, order[at], -1)


def by_name(file: Path, names: Sequence[str], files: Sequence[tuple[str, int]]) -> NDArray[np.int64]:
    """(P,) position in ``files`` of the file of each name; -1 where there is none.

    A name matches the file with which it shares most of its last path components, at least the base name. So full paths
    distinguish files of the same name, even after they were moved.

    Args:
        file: of the predictions, for the message.
        names: of images.
        files: names and ids, from `origins`.

    Raises:
        DataError: a name matches several files, or several names match one file.
    """
    ends: dict[str, list[int]] = defaultdict(list)
    parts = [_parts(name) for name, _ in files]
    for i, path in enumerate(parts):
        ends[path[-1]].append(i)
    distinct = list(dict.fromkeys(names))
    best: dict[str, tuple[int, int]] = {}
    for name in distinct:
        own = _parts(name)
        shared = [(_common(own, parts[i]), i) for i in ends.get(own[-1], [])]
        if not shared:
            continue
        most = max(shared)[0]
        likely = [i for length, i in shared if length == most]
        if len(likely) > 1:
            raise DataError(
                f"{file}: {shown(name)} could be any of {listed([files[i][0] for i in likely])}; write the folder into "
                "file_name"
            )
        best[name] = (most, likely[0])
    return _lookup(names, _exclusive(file, best, files))


def _exclusive(file: Path, best: dict[str, tuple[int, int]], files: Sequence[tuple[str, int]]) -> dict[str, int]:
    """For each name its file, unless another name matches that file better."""
    claims: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for name, (length, i) in best.items():
        claims[i].append((length, name))
    chosen = {}
    for i, several in claims.items():
        most = max(several)[0]
        likely = [name for length, name in several if length == most]
        if len(likely) > 1:
            raise DataError(
                f"{file}: {listed(list(map(shown, likely)))} could all be {files[i][0]}; write file names as the "
                "labels have them"
            )
        chosen[likely[0]] = i
    return chosen


def _lookup(names: Sequence[str], place: dict[str, int]) -> NDArray[np.int64]:
    return np.array([place.get(name, -1) for name in names], np.int64)


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")] or [""]


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Number of last path components that two paths share."""
    return next(
        (n for n, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False)) if x != y), min(len(a), len(b))
    )


def refuse_contradictions(file: Path, numbers: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse predictions in which one id belongs to two files, or one file has two ids.

    Args:
        file: of the predictions.
        numbers: (P,) ids of images, or ``None``.
        names: (P,) of images.

    Raises:
        DataError: there are such.
    """
    pairs = dict.fromkeys((n, name) for n, name in zip(numbers, names, strict=True) if isinstance(n, int))
    for what, key, other in (("image_id", 0, 1), ("file_name", 1, 0)):
        seen: dict[Any, Any] = {}
        for pair in pairs:
            before = seen.setdefault(pair[key], pair[other])
            if before != pair[other]:
                raise DataError(
                    f"{file}: {what} {shown(pair[key])} occurs with {shown(before)} and with {shown(pair[other])}; "
                    "image_id and file_name contradict each other: correct one, or leave image_id out"
                )
