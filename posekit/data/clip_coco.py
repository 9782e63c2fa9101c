"""COCO results over time: a JSON list of instances with ``image_id``, as posekit, MMPose, AlphaPose and others write.

Pixel indices: the reader adds 0.5, the writer takes it off. A point at exactly (0, 0) with score 0 is missing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.clips import (
    Clip,
    Float,
    as_before,
    example,
    last_number,
    natural,
    numbered,
    points_as_before,
    poses_of,
    skeleton_of,
    unique_ids,
    written,
)
from posekit.data.coco_dataset import HALF_PIXEL
from posekit.data.coco_structure import load_json
from posekit.data.errors import DataError, read_content, shown
from posekit.data.json_values import decimal, kind, whole
from posekit.geometry.boxes import to_xywh
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

EXPECTED = "COCO results: a JSON list of objects with image_id, keypoints (x, y, score of each point) and score"
_OF_FRAME = ("image_id", "file_name", "path", "width", "height", "frame", "time")
_OF_INSTANCE = ("category_id", "point_names", "model")
"""Fields that an instance which was filled in shares with its frame, and with others of its id."""


def read(file: Path, asked: Skeleton | None = None) -> Clip:
    """Read COCO results in the order of their images.

    Ids are in ``track_id`` (or ``idx``, AlphaPose's); times in ``time``. Frames are ordered by ``image_id``, or by name
    where it is none; images without instances are not in such a file, so gaps between the image ids are frames.

    Args:
        file: to read.
        asked: names the points; ``None``: the file's ``point_names``, or COCO's for 17 points.

    Raises:
        DataError: the file is invalid.
    """
    entries = _entries(file)
    flat = _keypoints(file, entries)
    named = [entry.get("point_names") for entry in entries]
    names = named[0] if isinstance(named[0], list) and all(other == named[0] for other in named) else None
    skeleton, notes = skeleton_of(file, flat.shape[1], names, asked)
    order, numbers, more = _ordered(file, entries)
    ids = _ids(file, entries)
    frames = []
    for rows in order:
        if ids is not None:
            unique_ids(file, f"image {shown(_image(entries[rows[0]]))}", [ids[row] for row in rows])
        frames.append(_poses(file, flat[rows], [entries[row] for row in rows], ids and [ids[row] for row in rows]))
    heads = tuple({key: entries[rows[0]][key] for key in _OF_FRAME if key in entries[rows[0]]} for rows in order)
    times = [decimal(head.get("time")) for head in heads]
    clock = np.array(times, np.float64) if all(time is not None for time in times) else None
    records = tuple(tuple(entries[row] for row in rows) for rows in order)
    return Clip(skeleton, tuple(frames), numbers, clock, heads, records, ids is not None, (*notes, *more))


def _entries(file: Path) -> list[dict[str, Any]]:
    content = load_json(read_content(file, EXPECTED), file, EXPECTED)
    if isinstance(content, dict) and "annotations" in content:
        raise DataError(f"{file}: is a label file with 'annotations'; expected {EXPECTED}: give the results of a model")
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise DataError(f"{file}: not {EXPECTED}; got {kind(content)}")
    if not content:
        raise DataError(f"{file}: holds no results; expected {EXPECTED}")
    return content


def _keypoints(file: Path, entries: Sequence[Mapping[str, Any]]) -> Float:
    """(P, K, 3) as the file has them; NaN where it has null."""
    rows: list[list[float]] = []
    for number, entry in enumerate(entries):
        values = entry.get("keypoints")
        if isinstance(values, list) and values and all(isinstance(v, list) and len(v) == 3 for v in values):
            values = [inner for point in values for inner in point]
        if not isinstance(values, list) or not values or len(values) % 3:
            raise DataError(
                f"{file}: entry {number} of the list has {kind(values)} as 'keypoints'; expected three numbers a point"
            )
        if rows and len(values) != len(rows[0]):
            raise DataError(
                f"{file}: entry {number} of the list has {len(values) // 3} points, the first has {len(rows[0]) // 3}; "
                "give all points of one skeleton, in one order"
            )
        if set(map(type, values)) <= {int, float}:
            rows.append(values)
            continue
        read_ = [np.nan if value is None else decimal(value) for value in values]
        row = [value for value in read_ if value is not None]
        if len(row) < len(values):
            at = read_.index(None)
            raise DataError(
                f"{file}: entry {number} of the list has {kind(values[at])} as keypoints[{at}]; write a number"
            )
        rows.append(row)
    return np.array(rows, np.float64).reshape(len(rows), -1, 3)


def _image(entry: Mapping[str, Any]) -> Any:
    """What says to which image an entry belongs."""
    found = next((entry[key] for key in ("image_id", "path", "file_name") if entry.get(key) is not None), None)
    number = whole(found)
    return found if number is None else number


def _ordered(file: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[list[list[int]], Any, tuple[str, ...]]:
    """Rows of each frame in the order of the frames, the frame numbers, and notes."""
    groups: dict[Any, list[int]] = {}
    for row, entry in enumerate(entries):
        image = _image(entry)
        if not isinstance(image, str) and whole(image) is None:
            raise DataError(f"{file}: entry {row} of the list has {kind(image)} as 'image_id'; give its image")
        groups.setdefault(image, []).append(row)
    if all(isinstance(image, int) for image in groups):
        order = sorted(groups)
        numbers, notes = numbered(order)
        return [groups[image] for image in order], numbers, notes
    names = sorted(map(str, groups), key=natural)
    by_name = {str(image): rows for image, rows in groups.items()}
    digits = [last_number(Path(name).stem) for name in names]
    counted = [number for number in digits if number is not None]
    if len(counted) < len(names) or any(b <= a for a, b in itertools.pairwise(counted)):
        return [by_name[name] for name in names], np.arange(len(names)), ()
    numbers, notes = numbered(counted)
    return [by_name[name] for name in names], numbers, notes


def _ids(file: Path, entries: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """The id of each entry; ``None`` if no entry has one."""
    given = [entry.get("track_id", entry.get("idx")) for entry in entries]
    flat = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in given]
    if all(value is None for value in flat):
        return None
    bad = [row for row, value in enumerate(flat) if value is not None and whole(value) is None]
    if bad:
        raise DataError(
            f"{file}: entry {bad[0]} of the list has {kind(flat[bad[0]])} as 'track_id'; expected a whole "
            "number, or none"
        )
    # Entries without an id are no track together: each gets a number of its own below 0.
    return [-1 - row if (one := whole(value)) is None or one < 0 else one for row, value in enumerate(flat)]


def _poses(file: Path, flat: Float, entries: Sequence[Mapping[str, Any]], ids: Sequence[int] | None) -> Poses:
    """The instances of a frame."""
    xy = flat[..., :2] + HALF_PIXEL
    xy[(flat == 0).all(-1)] = np.nan
    scores = np.array([value if (value := decimal(entry.get("score"))) is not None else np.nan for entry in entries])
    more: dict[str, Any] = {} if ids is None else {"ids": np.array(ids, np.int64)}
    boxes = [entry.get("bbox") for entry in entries]
    if all(isinstance(box, list) and len(box) == 4 for box in boxes):
        try:
            whole_boxes = np.array(boxes, np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{file}: a 'bbox' is not four numbers: {shown(boxes)}") from None
        more["boxes"] = np.concatenate([whole_boxes[:, :2], whole_boxes[:, :2] + whole_boxes[:, 2:]], 1)
    for name, shape in (("visible", flat.shape[:2]), ("spread", (*flat.shape[:2], 2))):
        values = [entry.get(name) for entry in entries]
        if all(value is not None for value in values):
            more[name] = _array(file, name, values, shape)
    return poses_of(xy, flat[..., 2], scores, **more)


def _array(file: Path, name: str, values: Any, shape: tuple[int, ...]) -> Float:
    try:
        return np.array(values, np.float64).reshape(shape)
    except (TypeError, ValueError):
        raise DataError(f"{file}: '{name}' should have a number for each point; got {shown(values[0])}") from None


def write(clip: Clip, file: Path) -> None:
    """Write the clip as COCO results: fields as they came, points and boxes anew, ``track_id`` where known."""
    examples = example(clip)
    lines: list[dict[str, Any]] = []
    for head, poses, records in zip(clip.heads, clip.frames, clip.records, strict=True):
        if len(poses):
            lines += _written_frame(head, poses, records, examples, bool(clip.source))
    written(file, json.dumps(lines) + "\n")


def _written_frame(
    head: Mapping[str, Any], poses: Poses, records: Sequence[Any], examples: Mapping[int, Any], had_ids: bool
) -> list[dict[str, Any]]:
    """The entries of a frame."""
    found = []
    for n, record in enumerate(records):
        one = None if poses.ids is None else int(poses.ids[n])
        like = examples.get(one, {}) if one is not None else {}
        entry = {**head, **{k: like[k] for k in _OF_INSTANCE if k in like}} if record is None else dict(record)
        before = np.full((poses.xy.shape[1], 3), np.nan) if record is None else _keypoints(Path(), [record])[0]
        entry["keypoints"] = points_as_before(poses, n, before, HALF_PIXEL, 0.0).ravel().tolist()
        if record is None or "score" in record:
            old = decimal(entry.get("score"))
            entry["score"] = float(as_before(poses.instance_score[n], np.nan if old is None else old))
        if one is not None and one >= 0 and not (had_ids and record is not None and "idx" in record):
            entry["track_id"] = one
        if poses.boxes is not None:
            box = to_xywh(np.asarray(poses.boxes[n : n + 1], np.float64))[0]
            entry["bbox"] = as_before(box, np.nan if record is None else record["bbox"]).tolist()
        for name in ("visible", "spread"):
            values = getattr(poses, name)
            if values is not None:
                entry[name] = as_before(values[n], entry.get(name, np.nan)).tolist()
        if poses.filled is not None and poses.filled[n].any():
            entry["filled"] = np.asarray(poses.filled[n], bool).tolist()
        found.append(entry)
    return found
