"""posekit's CSV tables over time: a row for each point, continuous pixels, with ``frame``, ``time``, ``id``.

Columns that are not known are kept. The tables of `posekit predict --csv` are read by ``image_id``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.clips import (
    Clip,
    Float,
    as_before,
    example,
    missing,
    natural,
    numbered,
    poses_of,
    skeleton_of,
    unique_ids,
    written,
)
from posekit.data.errors import DataError, listed, read_text, shown
from posekit.data.json_values import decimal, whole
from posekit.data.table_columns import BOX_COLUMNS, MORE_COLUMNS
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

EXPECTED = "posekit's CSV: columns frame (or image_id, or path), instance (or id), point, x, y, score"
FRAME = ("frame", "image_id", "path")
INSTANCE = ("id", "instance")
_OF_POINT = ("point", "x", "y", "score", *(column for columns in MORE_COLUMNS.values() for column in columns), "filled")
_OF_INSTANCE = ("instance", "id", "instance_score", *BOX_COLUMNS)
Row = dict[str, str]


def read(file: Path, asked: Skeleton | None = None) -> Clip:
    """Read a table in the order of its frames.

    Args:
        file: to read.
        asked: other names of the points; ``None``: those of the column ``point``.

    Raises:
        DataError: the file is invalid.
    """
    reader = csv.DictReader(io.StringIO(read_text(file, EXPECTED)))
    columns = _header(file, reader)
    reader.fieldnames = columns
    frame = next((name for name in FRAME if name in columns), None)
    instance = next((name for name in INSTANCE if name in columns), None)
    if frame is None or instance is None or not {"point", "x", "y"} <= set(columns):
        raise DataError(f"{file}: expected {EXPECTED}; it has {listed(columns)}")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{file}: line {reader.line_num}: {error}; expected {EXPECTED}") from None
    if not rows:
        raise DataError(f"{file}: has no row; expected {EXPECTED}")
    short = [n for n, row in enumerate(rows, 2) if None in row or None in row.values()]
    if short:
        raise DataError(f"{file}: lines {listed(short)} do not have {len(columns)} cells as the header")
    groups = _grouped(file, rows, frame, "instance" if "instance" in columns else instance)
    names = list(dict.fromkeys(row["point"] for row in rows))
    skeleton, notes = skeleton_of(file, len(names), names, asked)
    order, numbers, more = _ordered(list(groups), frame)
    loose = iter(range(-1, -len(rows) - 1, -1))
    frames = tuple(_poses(file, key, groups[key], names, columns, loose) for key in order)
    records = tuple(tuple(groups[key].values()) for key in order)
    heads = tuple(_head(next(iter(next(iter(group.values())).values()))) for group in records_of(groups, order))
    times = [decimal(head.get("time", "")) for head in heads]
    clock = None if any(time is None for time in times) else np.array(times, np.float64)
    return Clip(skeleton, frames, numbers, clock, heads, records, (columns, names), (*notes, *more))


def _header(file: Path, reader: csv.DictReader[str]) -> list[str]:
    try:
        return [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise DataError(f"{file}: line 1: {error}; expected {EXPECTED}") from None


def records_of(groups: Mapping[str, Mapping[str, Mapping[str, Row]]], order: Sequence[str]) -> list[Any]:
    """The instances of each frame in the order of the frames."""
    return [groups[key] for key in order]


def _head(row: Row) -> Row:
    return {name: cell for name, cell in row.items() if name not in (*_OF_POINT, *_OF_INSTANCE)}


def _grouped(file: Path, rows: Sequence[Row], frame: str, instance: str) -> dict[str, dict[str, dict[str, Row]]]:
    """Rows by frame, instance and point."""
    groups: dict[str, dict[str, dict[str, Row]]] = {}
    for line, row in enumerate(rows, 2):
        points = groups.setdefault(row[frame], {}).setdefault(row[instance], {})
        if row["point"] in points:
            raise DataError(
                f"{file}: line {line} repeats point {shown(row['point'])} of {instance} {row[instance]} in {frame} "
                f"{row[frame]}; give each point once"
            )
        points[row["point"]] = row
    return groups


def _ordered(keys: list[str], frame: str) -> tuple[list[str], Any, tuple[str, ...]]:
    """Frames in their order, their numbers, and notes."""
    given = {key: whole(key) for key in keys}
    if frame == "path" or any(number is None for number in given.values()):
        return sorted(keys, key=natural), np.arange(len(keys)), ()
    order = sorted(keys, key=lambda key: given[key] or 0)
    numbers, notes = numbered([given[key] or 0 for key in order])
    return order, numbers, notes


def _value(file: Path, row: Row, column: str) -> float:
    cell = (row.get(column) or "").strip()
    value = np.nan if cell.lower() in ("", "nan") else decimal(cell)
    if value is None:
        raise DataError(f"{file}: column {column!r} has {shown(cell)} at point {row['point']!r}; expected a number")
    return value


def _poses(
    file: Path,
    key: str,
    group: Mapping[str, Mapping[str, Row]],
    names: Sequence[str],
    columns: Sequence[str],
    loose: Any,
) -> Poses:
    """The instances of a frame."""
    nothing = dict.fromkeys(columns, "")
    table = [[rows.get(name, {**nothing, "point": name}) for name in names] for rows in group.values()]
    firsts = [next(iter(rows.values())) for rows in group.values()]

    def of_points(*wanted: str) -> Float:
        return np.array([[[_value(file, row, c) for c in wanted] for row in line] for line in table], np.float64)

    def of_instances(*wanted: str) -> Float:
        return np.array([[_value(file, row, c) for c in wanted] for row in firsts], np.float64)

    xy = of_points("x", "y")
    score = of_points("score")[..., 0] if "score" in columns else np.isfinite(xy).all(-1).astype(np.float64)
    more: dict[str, Any] = {}
    for field, wanted in MORE_COLUMNS.items():
        if set(wanted) <= set(columns):
            values = of_points(*wanted)
            more[field] = values if field == "spread" else values[..., 0]
    if set(BOX_COLUMNS) <= set(columns) and np.isfinite(boxes := of_instances(*BOX_COLUMNS)).all():
        more["boxes"] = boxes
    if "id" in columns and any(row["id"].strip() for row in firsts):
        ids = [_id(file, row, loose) for row in firsts]
        unique_ids(file, f"frame {key}", ids)
        more["ids"] = np.array(ids, np.int64)
    if "filled" in columns:
        more["filled"] = of_points("filled")[..., 0] == 1
    total = np.asarray(of_instances("instance_score")[:, 0]) if "instance_score" in columns else None
    return poses_of(xy, np.asarray(score), total, **more)


def _id(file: Path, row: Row, loose: Any) -> int:
    """The id of an instance; a new one below 0 for one without."""
    if not row["id"].strip():
        return int(next(loose))
    number = whole(row["id"])
    if number is None:
        raise DataError(f"{file}: column 'id' has {shown(row['id'])}; expected a whole number, or nothing")
    return number


def write(clip: Clip, file: Path) -> None:
    """Write the clip as a table: columns as they came, and ``id``, ``filled`` and spreads where they are new."""
    columns, names = clip.source
    some = [poses for poses in clip.frames if len(poses)]
    extra = ["id"] if any(poses.ids is not None for poses in some) else []
    extra += [c for f, cs in MORE_COLUMNS.items() if any(getattr(p, f) is not None for p in some) for c in cs]
    extra += ["filled"] if any(p.filled is not None and p.filled.any() for p in some) else []
    header = [*columns, *(name for name in extra if name not in columns)]
    examples = example(clip)
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for head, poses, records in zip(clip.heads, clip.frames, clip.records, strict=True):
        gone = missing(poses)
        for n, record in enumerate(records):
            one = None if poses.ids is None else int(poses.ids[n])
            like = _instance_cells(poses, n, record, examples.get(one) if one is not None else None)
            for k, name in enumerate(names):
                old = (record or {}).get(name)
                if old is None and gone[n, k] and record is not None:
                    continue
                base = {**head, **like, "point": name} if old is None else {**old, **like}
                writer.writerow({**base, **_point_cells(poses, n, k, bool(gone[n, k]), old or {}, "filled" in header)})
    written(file, out.getvalue())


def _cell(value: float, old: str | None) -> str:
    """A number as text: what came if it is the same, nothing for NaN."""
    before = decimal(old) if old else None
    new = float(as_before(np.asarray(value), np.nan if before is None else before))
    if before is not None and new == before:
        return str(old)
    return "" if np.isnan(new) else f"{new:.12g}"


def _instance_cells(poses: Poses, n: int, record: Mapping[str, Row] | None, like: Mapping[str, Row] | None) -> Row:
    """Cells that all points of an instance share."""
    old = next(iter(record.values())) if record else {}
    cells = {"instance_score": _cell(float(poses.instance_score[n]), old.get("instance_score"))}
    if record is None:
        cells["instance"] = next(iter(like.values())).get("instance", "") if like else str(n)
    if poses.ids is not None:
        cells["id"] = str(int(poses.ids[n])) if poses.ids[n] >= 0 else ""
    if poses.boxes is not None:
        for name, value in zip(BOX_COLUMNS, np.asarray(poses.boxes[n], np.float64).tolist(), strict=True):
            cells[name] = _cell(value, old.get(name))
    return cells


def _point_cells(poses: Poses, n: int, k: int, gone: bool, old: Row, filled: bool) -> Row:
    """Cells of one point; one that is missing is as it came, or empty if it was not missing before."""
    score = poses.score[n, k]
    cells = {"x": "", "y": "", "score": "0"}
    if not gone:
        x, y = poses.xy[n, k].tolist()
        cells = {
            "x": _cell(x, old.get("x")),
            "y": _cell(y, old.get("y")),
            "score": _cell(float(score), old.get("score")),
        }
    elif old and (not old.get("x") or (decimal(old.get("score", "")) or 0) <= 0):
        cells = {name: old.get(name, "") for name in cells}
    for field, columns in MORE_COLUMNS.items():
        values = getattr(poses, field)
        if values is not None:
            for column, value in zip(columns, np.atleast_1d(values[n, k]).tolist(), strict=True):
                cells[column] = _cell(value, old.get(column))
    if filled:
        cells["filled"] = str(int(poses.filled is not None and bool(poses.filled[n, k])))
    return cells
