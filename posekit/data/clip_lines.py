"""JSON lines over time: a frame a line, with its instances as `Poses.to_dict` gives them; continuous pixels.

``{"frame": 0, "time": 0, "instances": [{"score": 0.9, "id": 1, "points": {"nose": {"x": 1.5, "y": 2, "score": 1}}}]}``
Other fields, and lines without ``instances``, are kept.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.clips import (
    Clip,
    Float,
    as_before,
    example,
    missing,
    numbered,
    poses_of,
    skeleton_of,
    unique_ids,
    written,
)
from posekit.data.coco_structure import load_json
from posekit.data.errors import DataError, read_content
from posekit.data.json_values import decimal, kind, whole
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

EXPECTED = "JSON lines: an object with 'frame' and 'instances' for each frame, points by name"
_OF_POINT = {"visible": 0, "depth": 0, "spread": 2}
"""Further numbers of a point: how many, 0 for a plain one."""


def read(file: Path, asked: Skeleton | None = None) -> Clip:
    """Read JSON lines.

    Args:
        file: to read.
        asked: other names of the points; ``None``: those of the file.

    Raises:
        DataError: the file is invalid.
    """
    heads, lines = _lines(file)
    people = [instance for line in lines for instance in line["instances"]]
    if not people:
        raise DataError(f"{file}: no instance in {len(lines)} frames; there is nothing to read")
    names = list(people[0]["points"])
    skeleton, notes = skeleton_of(file, len(names), names, asked)
    loose = iter(range(-1, -len(people) - 1, -1))
    tracked = any(person.get("id") is not None for person in people)
    frames = tuple(_poses(file, line, names, loose if tracked else None) for line in lines)
    counted = [whole(line.get("frame")) for line in lines]
    known = [number for number in counted if number is not None]
    if len(known) < len(lines) or any(b <= a for a, b in itertools.pairwise(known)):
        raise DataError(f"{file}: 'frame' must be a whole number that increases from line to line")
    numbers, more = numbered(known)
    times = [decimal(line.get("time")) for line in lines]
    clock = None if any(time is None for time in times) else np.array(times, np.float64)
    records = tuple(tuple(line["instances"]) for line in lines)
    return Clip(skeleton, frames, numbers, clock, tuple(lines), records, (heads, names), (*notes, *more))


def _lines(file: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Lines about the clip as text, and those of frames."""
    heads, lines = [], []
    for number, text in enumerate(read_content(file, EXPECTED).splitlines(), 1):
        if not text.strip():
            continue
        where = file.with_name(f"{file.name}, line {number}")
        line = load_json(text, where, EXPECTED)
        if not isinstance(line, dict):
            raise DataError(f"{where}: expected an object; got {kind(line)}")
        if "instances" not in line:
            heads.append(text.decode("utf-8"))
            continue
        people = line["instances"]
        sound = isinstance(people, list) and all(isinstance(p, dict) and _named(p.get("points")) for p in people)
        if not sound:
            raise DataError(
                f"{where}: expected 'instances' with 'points' by name, each with x and y; got {kind(people)}"
            )
        lines.append(line)
    if not lines:
        raise DataError(f"{file}: has no line of a frame; expected {EXPECTED}")
    return heads, lines


def _named(points: Any) -> bool:
    return isinstance(points, dict) and bool(points) and all(isinstance(p, dict) for p in points.values())


def _number(value: Any) -> float:
    """A number, NaN for null and everything else."""
    found = decimal(value)
    return np.nan if found is None else found


def _row(person: Mapping[str, Any], names: Sequence[str]) -> Float:
    """(K, 3) x, y, score of an instance as the file has them; NaN for points that it leaves out."""
    points = [person["points"].get(name, {}) for name in names]
    return np.array([[_number(p.get("x")), _number(p.get("y")), _number(p.get("score", 1.0))] for p in points])


def _poses(file: Path, line: Mapping[str, Any], names: Sequence[str], loose: Iterator[int] | None) -> Poses:
    people = line["instances"]
    rows = np.array([_row(person, names) for person in people]).reshape(len(people), len(names), 3)
    more: dict[str, Any] = {}
    for name, count in _OF_POINT.items():
        values = [[person["points"].get(point, {}).get(name) for point in names] for person in people]
        if people and all(value is not None for row in values for value in row):
            more[name] = _array(file, line, name, values, (len(people), len(names), *((count,) if count else ())))
    boxes = [person.get("box") for person in people]
    if people and all(isinstance(box, list) and len(box) == 4 for box in boxes):
        more["boxes"] = np.array([[_number(value) for value in box] for box in boxes])
    if loose is not None:
        ids = [next(loose) if (one := whole(person.get("id"))) is None else one for person in people]
        unique_ids(file, f"frame {line.get('frame')}", ids)
        more["ids"] = np.array(ids, np.int64)
    filled = [[bool(person["points"].get(point, {}).get("filled")) for point in names] for person in people]
    if any(map(any, filled)):
        more["filled"] = np.array(filled, bool)
    return poses_of(rows[..., :2], rows[..., 2], np.array([_number(p.get("score")) for p in people]), **more)


def _array(file: Path, line: Mapping[str, Any], name: str, values: Any, shape: tuple[int, ...]) -> Float:
    try:
        return np.array(values, np.float64).reshape(shape)
    except (TypeError, ValueError):
        raise DataError(
            f"{file}: frame {line.get('frame')}: {name!r} should be {shape[2:] or 'one number'} for each point"
        ) from None


def write(clip: Clip, file: Path) -> None:
    """Write the clip as JSON lines, with every other field as it came."""
    heads, names = clip.source
    lines = list(heads)
    examples = example(clip)
    for head, poses, records in zip(clip.heads, clip.frames, clip.records, strict=True):
        people = [_person(poses, n, record, names, examples) for n, record in enumerate(records)]
        lines.append(json.dumps({**head, "instances": people}))
    written(file, "\n".join(lines) + "\n")


def _person(poses: Poses, n: int, record: Any, names: Sequence[str], examples: Mapping[int, Any]) -> dict[str, Any]:
    """One instance."""
    one = None if poses.ids is None else int(poses.ids[n])
    like = {} if record is not None or one is None else examples.get(one, {})
    person = dict(record) if record is not None else {k: like[k] for k in ("category",) if k in like}
    if record is None or "score" in record:
        person["score"] = float(as_before(poses.instance_score[n], _number(person.get("score"))))
    if one is not None and one >= 0:
        person["id"] = one
    if poses.boxes is not None:
        person["box"] = as_before(poses.boxes[n], [_number(value) for value in person.get("box", [None] * 4)]).tolist()
    gone = missing(poses)[n]
    before = (record or {}).get("points", {})
    points = {}
    for k, name in enumerate(names):
        old = before.get(name)
        if gone[k] and (old is not None or record is not None) and not _was_there(old):
            if old is not None:
                points[name] = old
            continue
        points[name] = _point(poses, n, k, bool(gone[k]), old or {})
    person["points"] = points
    return person


def _was_there(old: Mapping[str, Any] | None) -> bool:
    """Whether a point had a location in the file."""
    return old is not None and _number(old.get("x")) == _number(old.get("x")) and _number(old.get("score", 1.0)) > 0


def _point(poses: Poses, n: int, k: int, gone: bool, old: Mapping[str, Any]) -> dict[str, Any]:
    """One point."""
    point = dict(old)
    x, y = (None, None) if gone else as_before(poses.xy[n, k], [_number(old.get("x")), _number(old.get("y"))]).tolist()
    point |= {"x": x, "y": y}
    if "score" in old or not old or poses.score[n, k] != 1:
        point["score"] = float(as_before(poses.score[n, k], _number(old.get("score"))))
    for name in _OF_POINT:
        values = getattr(poses, name)
        if values is not None:
            point[name] = as_before(values[n, k], np.array(old.get(name, np.nan), np.float64)).tolist()
    if poses.filled is not None and (poses.filled[n, k] or "filled" in old):
        point["filled"] = bool(poses.filled[n, k])
    return point
