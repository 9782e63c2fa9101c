"""Clips as ``.npz`` by instances: ``xy`` (M, K, 2) of all M instances in order of frames, as videos are written.

``frame`` (M,) is the index of each one's frame, ``times`` (F,) are the seconds of all frames, and where known there are
``id`` (M,), below 0 for no track, ``score`` (M, K), ``instance_score`` (M,), ``box`` (M, 4), ``spread`` (M, K, 2),
``visible`` and ``depth`` (M, K), ``points`` (K,). Other arrays are kept, those of M instances with their instance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.clips import Clip, as_before, missing, poses_of, skeleton_of, unique_ids
from posekit.data.errors import DataError
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

_OF_POINTS = {"score": (), "spread": (2,), "visible": (), "depth": (), "filled": ()}
"""Arrays of points: the last axes after (M, K)."""
_FIELDS = {"box": "boxes", "id": "ids"}
"""Names that differ from those of `Poses`."""
Arrays = dict[str, NDArray[Any]]


def read(file: Path, arrays: Arrays, asked: Skeleton | None) -> Clip:
    """The clip of these arrays.

    Args:
        file: for messages.
        arrays: of the file; ``xy`` has three axes.
        asked: names the points; ``None``: ``points`` in the file.

    Raises:
        DataError: they do not fit together.
    """
    M, K = arrays["xy"].shape[:2]
    _check(file, arrays, M, K)
    names = [str(name) for name in arrays["points"]] if "points" in arrays else None
    skeleton, notes = skeleton_of(file, K, names, asked)
    index = arrays["frame"].astype(np.int64)
    F = len(arrays["times"]) if "times" in arrays else int(index.max(initial=-1)) + 1
    rows = np.split(np.arange(M), np.searchsorted(index, np.arange(1, F)))
    frames = []
    for t, some in enumerate(rows):
        if "id" in arrays:
            unique_ids(file, f"frame {t}", [int(one) for one in arrays["id"][some] if one >= 0])
        frames.append(_poses(arrays, some))
    times = arrays["times"].astype(np.float64) if "times" in arrays else None
    records = tuple(tuple(some.tolist()) for some in rows)
    return Clip(skeleton, tuple(frames), np.arange(F), times, (None,) * F, records, arrays, notes)


def _check(file: Path, arrays: Arrays, M: int, K: int) -> None:
    """Refuse arrays that do not fit together."""
    shapes: dict[str, tuple[int, ...]] = {name: (M, K, *last) for name, last in _OF_POINTS.items()}
    shapes |= {"frame": (M,), "id": (M,), "instance_score": (M,), "box": (M, 4), "points": (K,)}
    if "frame" not in arrays:
        raise DataError(f"{file}: xy is {arrays['xy'].shape}, one row an instance, but there is no 'frame' ({M},)")
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            raise DataError(f"{file}: {name!r} should be {shape}; got {arrays[name].shape}")
    index, F = arrays["frame"], len(arrays.get("times", ())) or np.inf
    if index.dtype.kind not in "iu" or (np.diff(index) < 0).any() or (M and not 0 <= index[0] <= index[-1] < F):
        raise DataError(f"{file}: 'frame' must be indices of 'times' that do not decrease")


def _poses(arrays: Arrays, rows: NDArray[np.int64]) -> Poses:
    """The instances of a frame."""
    xy = arrays["xy"][rows].astype(np.float64)
    score = arrays["score"][rows].astype(np.float64) if "score" in arrays else np.ones(xy.shape[:2])
    more: dict[str, Any] = {
        name: arrays[name][rows].astype(bool if name == "filled" else np.float64)
        for name in _OF_POINTS
        if name in arrays and name != "score"
    }
    if "box" in arrays and np.isfinite(arrays["box"]).all():
        more["boxes"] = arrays["box"][rows].astype(np.float64)
    if "id" in arrays and (arrays["id"] >= 0).any():
        # Instances without a track are no track together.
        ids = arrays["id"][rows].astype(np.int64)
        more["ids"] = np.where(ids < 0, -1 - rows, ids)
    total = arrays["instance_score"][rows].astype(np.float64) if "instance_score" in arrays else None
    return poses_of(xy, score, total, **more)


def changed(clip: Clip) -> Arrays:
    """The arrays of the file with the poses of the clip."""
    arrays: Arrays = clip.source
    M = len(arrays["xy"])
    index = np.repeat(np.arange(len(clip)), [len(poses) for poses in clip.frames])
    rows = np.array([-1 if record is None else record for some in clip.records for record in some], np.int64)
    every = Poses.concatenate(clip.frames)
    per_instance = [name for name, array in arrays.items() if name not in ("points", "times") and len(array) == M]
    new = {name: array if name not in per_instance else _rows(array, rows) for name, array in arrays.items()}
    new["frame"] = index.astype(arrays["frame"].dtype)
    if "time" in arrays and "times" in arrays:
        new["time"] = arrays["times"][index].astype(arrays["time"].dtype)
    for name in ("xy", "instance_score", "box", *_OF_POINTS):
        values = getattr(every, _FIELDS.get(name, name))
        if values is None or (name not in arrays and name not in ("filled", "depth")):
            continue
        if name == "filled" or name not in arrays:
            new[name] = np.asarray(values, bool if name == "filled" else np.float64)
            continue
        old = new[name].astype(np.float64)
        result = as_before(np.asarray(values, np.float64), old)
        if name in ("xy", "score"):
            result = _with_missing(result, old, every, arrays, rows, name)
        new[name] = result.astype(arrays[name].dtype)
    if every.ids is not None:
        new["id"] = np.maximum(every.ids, -1).astype(np.int64)
    return new


def _rows(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Rows of an array; NaN or 0 where there is none."""
    nothing = np.full((1, *array.shape[1:]), np.nan if array.dtype.kind == "f" else 0).astype(array.dtype)
    return np.asarray(np.concatenate([array, nothing])[rows])


def _with_missing(
    values: NDArray[Any], old: NDArray[Any], every: Poses, arrays: Arrays, rows: NDArray[np.int64], name: str
) -> NDArray[Any]:
    """Missing points as they came if they were missing, else NaN with score 0."""
    was = ~np.asarray(np.isfinite(_rows(arrays["xy"], rows).astype(np.float64)).all(-1))
    if "score" in arrays:
        was |= ~(_rows(arrays["score"], rows) > 0)
    gone = missing(every)
    if name == "xy":
        gone, was = gone[..., None], was[..., None]
    return np.where(gone, np.where(was & np.isfinite(old), old, np.nan if name == "xy" else 0.0), values)
