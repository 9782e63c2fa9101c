"""The poses in each frame of a video as files: JSON lines, a CSV table, NumPy arrays.

JSON lines hold one object a frame: ``frame`` (index from 0), ``time`` (seconds) and ``instances``; each of these has
``score``, ``points`` (name to ``x``, ``y``, ``score`` and further known fields), and where known ``id``, ``box`` (x0 y0
x1 y1), ``category``. After smoothing ``raw`` holds the points as the model found them, and a point that a filter over
time has filled in has ``filled``. Coordinates are continuous pixels: the centre of the first is (0.5, 0.5).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from posekit.data.errors import DataError
from posekit.data.table_columns import MORE_COLUMNS as OF_IMAGES
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

DIGITS = {"x": 3, "y": 3, "spread": 3, "box": 2, "score": 5, "visible": 4, "depth": 4}
"""Digits after the point."""

COLUMNS = (
    *("path", "frame", "time", "id", "instance", "instance_score", "x0", "y0", "x1", "y1"),
    *("point", "x", "y", "score"),
)
"""Columns of the table, one row for each point."""
MORE_COLUMNS = {**OF_IMAGES, "filled": ("filled",), "raw": ("raw_x", "raw_y", "raw_score")}
"""Columns of what only some videos have."""
FIELDS = ("visible", "spread", "depth")
"""Optional fields of points that are numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """The poses in one frame of a video.

    Args:
        index: of the frame, from 0.
        time: of presentation, seconds.
        poses: (N, K) in its pixels; tracked with ``ids``, and smoothed, if that was asked for.
        raw: after smoothing, the same instances as the model found them; else ``None``.
    """

    index: int
    time: float
    poses: Poses
    raw: Poses | None = None


def frame_line(frame: VideoFrame, skeleton: Skeleton) -> bytes:
    """One line of the JSON file."""
    instances = [_rounded(entry) for entry in frame.poses.to_dict(skeleton)]
    if frame.poses.filled is not None:
        for entry, filled in zip(instances, frame.poses.filled, strict=True):
            for name in np.asarray(skeleton.points)[filled].tolist():
                entry["points"][name]["filled"] = True
    if frame.raw is not None:
        raw = replace(frame.raw, visible=None, spread=None, depth=None, filled=None).to_dict(skeleton)
        for entry, before in zip(instances, raw, strict=True):
            entry["raw"] = _rounded(before)["points"]
    return msgspec.json.encode({"frame": frame.index, "time": round(frame.time, 6), "instances": instances}) + b"\n"


def read_frames(file: str | Path, skeleton: Skeleton) -> Iterator[VideoFrame]:
    """The frames of a JSON file, one at a time.

    Args:
        file: with JSON lines.
        skeleton: of the points.

    Raises:
        DataError: a line is not one of `frame_line`.
    """
    for number, entry in enumerate(_entries(Path(file)), 1):
        try:
            poses = _poses(entry["instances"], "points", skeleton)
            raw = _poses(entry["instances"], "raw", skeleton) if _has(entry["instances"], "raw") else None
            yield VideoFrame(int(entry["frame"]), float(entry["time"]), poses, raw)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{file}: line {number} is not a frame with instances of {len(skeleton.points)} points "
                f"({type(error).__name__}: {error}); expected the file that `posekit predict` writes for a video"
            ) from None


def write_csv(lines: Path, file: Path, source: str, more: Sequence[str]) -> Path:
    """Write one row for each point; the file appears when it is complete.

    Args:
        lines: the JSON file.
        file: to be written.
        source: for the column ``path``.
        more: keys of `MORE_COLUMNS` to write.
    """
    beside = file.with_name(f"{file.name}.tmp")
    file.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow([*COLUMNS, *(column for field in more for column in MORE_COLUMNS[field])])
        for entry in _entries(lines):
            writer.writerows(_rows(entry, source, more))
    beside.replace(file)
    return file


def write_npz(lines: Path, file: Path, skeleton: Skeleton) -> Path:
    """Write NumPy arrays; the file appears when it is complete.

    ``times`` (F,) of all frames; and for each of the M instances in them, in order of frames: ``frame``, ``time``,
    ``id`` (-1: not tracked), ``instance_score`` (M,), ``box`` (M, 4), ``xy`` (M, K, 2), ``score`` (M, K), after
    smoothing ``raw_xy``, ``raw_score`` and ``filled``, and ``visible``, ``spread``, ``depth`` where known; ``points``
    (K,) holds the names.
    """
    times: list[float] = []
    found: list[tuple[int, Poses, Poses | None]] = []
    for frame in read_frames(lines, skeleton):
        times.append(frame.time)
        if len(frame.poses):
            found.append((frame.index, frame.poses, frame.raw))
    K = len(skeleton.points)
    every = Poses.concatenate([poses for _, poses, _ in found] or [Poses.empty(K)])
    index = np.repeat([i for i, _, _ in found], [len(poses) for _, poses, _ in found]).astype(np.int64)
    M = len(every)
    arrays: dict[str, Any] = {
        "times": np.asarray(times, np.float64),
        "points": np.asarray(skeleton.points),
        "frame": index,
        "time": np.asarray(times, np.float64)[index],
        "id": np.full(M, -1) if every.ids is None else every.ids,
        "instance_score": every.instance_score,
        "box": np.full((M, 4), np.nan, np.float32) if every.boxes is None else every.boxes,
        "xy": every.xy,
        "score": every.score,
        **{name: value for name in (*FIELDS, "filled") if (value := getattr(every, name)) is not None},
    }
    raw = [before for _, _, before in found if before is not None]
    if raw and len(raw) == len(found):
        joined = Poses.concatenate(raw)
        arrays |= {"raw_xy": joined.xy, "raw_score": joined.score}
    beside = file.with_name(f"{file.name}.tmp")
    file.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("wb") as out:
        np.savez_compressed(out, **arrays)
    beside.replace(file)
    return file


def _entries(file: Path) -> Iterator[Any]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            try:
                yield msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise DataError(
                    f"{file}: line {number} is not JSON ({error}); expected one JSON object in each line"
                ) from None


def _rounded(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of `Poses.to_dict` with rounded numbers; those that are not finite become null."""

    def number(value: Any, digits: int) -> Any:
        if isinstance(value, list):
            return [number(part, digits) for part in value]
        return round(value, digits) if math.isfinite(value) else None

    def point(value: dict[str, Any]) -> dict[str, Any]:
        return {key: number(part, DIGITS[key]) for key, part in value.items()}

    short: dict[str, Any] = {key: number(entry[key], DIGITS[key]) for key in ("score", "box") if key in entry}
    whole: dict[str, Any] = {key: int(entry[key]) for key in ("id", "category") if key in entry}
    return {**whole, **short, "points": {name: point(value) for name, value in entry["points"].items()}}


def _has(instances: list[Any], key: str) -> bool:
    return bool(instances) and all(key in entry for entry in instances)


def _numbers(value: Any) -> Any:
    """An array of numbers, NaN where null stands."""
    return np.asarray(value, np.float64).astype(np.float32)


def _poses(instances: list[Any], key: str, skeleton: Skeleton) -> Poses:
    """The poses of a frame, from ``points`` or ``raw`` of its instances."""
    if not instances:
        return Poses.empty(len(skeleton.points))
    points = [[entry[key][name] for name in skeleton.points] for entry in instances]
    more: dict[str, Any] = {
        name: _numbers([[point[name] for point in row] for row in points])
        for name in FIELDS
        if all(name in point for row in points for point in row)
    }
    if _has(instances, "raw") and key == "points":
        more["filled"] = np.asarray([[bool(point.get("filled")) for point in row] for row in points])
    for name, short, kind in (
        ("boxes", "box", np.float32),
        ("ids", "id", np.int64),
        ("category", "category", np.int64),
    ):
        if _has(instances, short):
            more[name] = np.asarray([entry[short] for entry in instances], kind)
    return Poses(
        xy=_numbers([[(point["x"], point["y"]) for point in row] for row in points]),
        score=_numbers([[point["score"] for point in row] for row in points]),
        instance_score=_numbers([entry["score"] for entry in instances]),
        **more,
    )


def _rows(entry: Any, source: str, more: Sequence[str]) -> Iterator[list[Any]]:
    for number, instance in enumerate(entry["instances"]):
        box = instance.get("box") or [""] * 4
        head = [source, entry["frame"], entry["time"], instance.get("id", ""), number, instance["score"], *box]
        for name, point in instance["points"].items():
            extra = [cell for field in more for cell in _cells(field, name, point, instance)]
            yield [*head, name, _cell(point["x"]), _cell(point["y"]), point["score"], *extra]


def _cells(field: str, name: str, point: Any, instance: Any) -> list[Any]:
    """The cells of one key of `MORE_COLUMNS`."""
    if field == "filled":
        return [int(bool(point.get("filled")))]
    if field == "raw":
        raw = instance.get("raw", {}).get(name)
        return [""] * 3 if raw is None else [_cell(raw[key]) for key in ("x", "y", "score")]
    value = point.get(field)
    return [_cell(part) for part in (value if isinstance(value, list) else [value] * len(MORE_COLUMNS[field]))]


def _cell(value: Any) -> Any:
    return "" if value is None else value
