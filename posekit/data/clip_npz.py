"""Clips as ``.npz`` by frames: ``xy`` (T, N, K, 2) in continuous pixels, and what is known about T frames and N slots.

========== ============= ==========================================================================================
xy         (T, N, K, 2)  continuous pixels, NaN where a point is missing; a slot of NaN alone is empty
score      (T, N, K)     in [0, 1]; left out: 1
ids        (T, N), (N,)  whole numbers; below 0: no track; left out: not tracked yet
times      (T,)          seconds
numbers    (T,)          frame numbers
points     (K,)          names
========== ============= ==========================================================================================

Further, where known: ``instance_score`` (T, N), ``boxes`` (T, N, 4), ``spread`` (T, N, K, 2), ``visible`` and ``depth``
(T, N, K). Other arrays are kept. With three axes ``xy`` is by instances: `posekit.data.clip_npz_rows`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data import clip_npz_rows
from posekit.data.clips import Clip, as_before, missing, numbered, poses_of, skeleton_of, unique_ids
from posekit.data.errors import DataError, listed
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

EXPECTED = (
    "an .npz file with xy (T, N, K, 2), or (M, K, 2) with frame (M,), and score (T, N, K), ids, times, points if known"
)
_INSTANCE = {"score": (), "instance_score": (), "boxes": (4,), "spread": (2,), "visible": (), "depth": (), "filled": ()}
"""Arrays of instances, and their last axes; those of points have K before it."""
_NOT_OF_POINTS = ("instance_score", "boxes")
_ADDED = ("filled", "depth")
"""Arrays that are written where a filter has given them, even if the file that was read has none."""
Arrays = dict[str, NDArray[Any]]


def read(file: Path, asked: Skeleton | None = None) -> Clip:
    """Read an archive.

    Args:
        file: to read.
        asked: names the points; ``None``: ``points`` in the file.

    Raises:
        DataError: the file is invalid.
    """
    arrays = _arrays(file)
    if arrays["xy"].ndim == 3:
        return clip_npz_rows.read(file, arrays, asked)
    T, N, K = arrays["xy"].shape[:3]
    names = [str(name) for name in arrays["points"]] if "points" in arrays else None
    if names is not None and len(names) != K:
        raise DataError(f"{file}: 'points' names {len(names)} points, xy has {K}")
    skeleton, notes = skeleton_of(file, K, names, asked)
    xy = arrays["xy"].astype(np.float64)
    there = np.asarray(np.isfinite(xy).all(-1).any(-1))
    ids = np.broadcast_to(arrays["ids"], (T, N)) if "ids" in arrays else None
    frames, records = [], []
    for t in range(T):
        slots = np.flatnonzero(there[t])
        if ids is not None:
            unique_ids(file, f"frame {t}", [int(one) for one in ids[t, slots] if one >= 0])
        frames.append(_poses(arrays, t, slots, None if ids is None else ids[t, slots].astype(np.int64)))
        records.append(tuple(slots.tolist()))
    numbers, more = numbered(arrays["numbers"].tolist() if "numbers" in arrays else range(T))
    times = arrays["times"].astype(np.float64) if "times" in arrays else None
    return Clip(skeleton, tuple(frames), numbers, times, (None,) * T, tuple(records), arrays, (*notes, *more))


def _arrays(file: Path) -> Arrays:
    """The arrays of a file, with sound shapes."""
    if not file.is_file():
        raise DataError(f"{file}: no such file; expected {EXPECTED}")
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"{file}: cannot be read ({error}); expected {EXPECTED}") from None
    xy = arrays.get("xy")
    if xy is None or xy.ndim not in (3, 4) or xy.shape[-1] != 2 or xy.dtype.kind not in "fiu" or not xy.size:
        came = "no xy" if xy is None else f"xy {xy.shape} of {xy.dtype}"
        raise DataError(f"{file}: expected {EXPECTED}; it has {came} among {listed(sorted(arrays))}")
    if xy.ndim == 4:
        _check(file, arrays)
    for name in ("times", "numbers"):
        if name in arrays and not (np.diff(arrays[name]) > 0).all():
            raise DataError(f"{file}: {name!r} must increase from frame to frame")
    return arrays


def _check(file: Path, arrays: Arrays) -> None:
    """Refuse arrays that do not fit together."""
    T, N, K = arrays["xy"].shape[:3]
    shapes: dict[str, tuple[int, ...]] = {
        name: (T, N, *last) if name in _NOT_OF_POINTS else (T, N, K, *last) for name, last in _INSTANCE.items()
    }
    for name, shape in {**shapes, "times": (T,), "numbers": (T,), "ids": (T, N)}.items():
        found = arrays.get(name)
        if found is None or found.shape == shape or (name == "ids" and found.shape == (N,)):
            continue
        raise DataError(f"{file}: {name!r} should be {shape}, as xy is {(T, N, K, 2)}; got {found.shape}")


def _poses(arrays: Arrays, t: int, slots: NDArray[np.int64], ids: NDArray[np.int64] | None) -> Poses:
    some = {name: arrays[name][t, slots] for name in _INSTANCE if name in arrays}
    xy = arrays["xy"][t, slots].astype(np.float64)
    score = some.pop("score").astype(np.float64) if "score" in some else np.isfinite(xy).all(-1).astype(np.float64)
    total = some.pop("instance_score", None)
    filled = some.pop("filled", None)
    more: dict[str, Any] = {name: array.astype(np.float64) for name, array in some.items()}
    if filled is not None:
        more["filled"] = filled.astype(bool)
    if ids is not None:
        # Instances without a track are no track together.
        alone = -1 - t * arrays["xy"].shape[1] - slots
        more["ids"] = np.where(ids < 0, alone, ids)
    return poses_of(xy, score, None if total is None else total.astype(np.float64), **more)


def write(clip: Clip, file: Path) -> None:
    """Write the clip as an archive with the arrays and dtypes that it came with, and ids and marks that are new."""
    arrays = clip_npz_rows.changed(clip) if clip.source["xy"].ndim == 3 else _changed(clip)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.tmp")
    with beside.open("wb") as out:
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    beside.replace(file)


def _changed(clip: Clip) -> Arrays:
    """The arrays of the file with the poses of the clip."""
    arrays: Arrays = dict(clip.source)
    T, width = len(clip), arrays["xy"].shape[1]
    slots = [_slots(records, width) for records in clip.records]
    N = max([width, *(max(some, default=-1) + 1 for some in slots)])
    K = arrays["xy"].shape[2]
    some = [poses for poses in clip.frames if len(poses)]
    for name in ("xy", *_INSTANCE):
        known = name == "xy" or name in arrays or (name in _ADDED and any(getattr(p, name) is not None for p in some))
        if not known or any(getattr(poses, name) is None for poses in some):
            continue
        last = (K, 2) if name == "xy" else _INSTANCE[name] if name in _NOT_OF_POINTS else (K, *_INSTANCE[name])
        arrays[name] = _filled_in(clip, name, slots, arrays.get(name), (T, N, *last))
    if any(poses.ids is not None for poses in some) and ("ids" not in arrays or arrays["ids"].ndim == 2 or N > width):
        ids = np.full((T, N), -1, np.int64)
        if "ids" in arrays:
            ids[:, :width] = arrays["ids"]
        for t, poses in enumerate(clip.frames):
            if poses.ids is not None:
                ids[t, slots[t]] = np.maximum(poses.ids, -1)
        arrays["ids"] = ids
    return arrays


def _slots(records: tuple[Any, ...], width: int) -> list[int]:
    """The slot of each instance of a frame; new ones get the first that are free."""
    taken = {record for record in records if record is not None}
    free = iter(slot for slot in range(width + len(records)) if slot not in taken)
    return [next(free) if record is None else record for record in records]


def _filled_in(
    clip: Clip, name: str, slots: list[list[int]], before: NDArray[Any] | None, shape: tuple[int, ...]
) -> NDArray[Any]:
    """One array of the file, anew."""
    truth = name == "filled"
    new = np.zeros(shape, bool) if truth else np.full(shape, np.nan)
    if name == "score":
        new[:] = 0.0
    if before is not None and not truth:
        new[:, : before.shape[1]] = before
    for t, poses in enumerate(clip.frames):
        values = np.array(getattr(poses, name), bool if truth else np.float64)
        old = new[t, slots[t]]
        values = values if truth else as_before(values, old)
        if name in ("xy", "score"):
            gone, was = missing(poses), _was_missing(clip.source, t, slots[t])
            if name == "xy":
                new[t] = np.nan
                gone, was = gone[..., None], was[..., None]
            values = np.where(gone, np.where(was & np.isfinite(old), old, np.nan if name == "xy" else 0.0), values)
        new[t, slots[t]] = values
    return new if truth or before is None else new.astype(before.dtype)


def _was_missing(arrays: Arrays, t: int, slots: list[int]) -> NDArray[np.bool_]:
    """(N, K) which points were missing in the file, for slots that it has or not."""
    width = arrays["xy"].shape[1]
    had = np.array([slot for slot in slots if slot < width], np.int64)
    lost = ~np.isfinite(arrays["xy"][t, had]).all(-1)
    if "score" in arrays:
        lost |= ~(arrays["score"][t, had] > 0)
    return np.concatenate([lost, np.ones((len(slots) - len(had), lost.shape[1]), bool)])
