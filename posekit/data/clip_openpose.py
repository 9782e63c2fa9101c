"""OpenPose's folders: a JSON file for each frame, with ``people[].pose_keypoints_2d`` and, if found, face and hands.

Pixel indices: the reader adds 0.5, the writer takes it off. A point of three zeros is missing.
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
from posekit.data.errors import DataError, listed, read_content
from posekit.data.json_values import decimal, kind, whole
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons.openpose import BODY25, OPENPOSE18

SUFFIX = "_keypoints.json"
EXPECTED = f"OpenPose's output: a folder with a file NAME{SUFFIX} for each frame"
POSE = "pose_keypoints_2d"
PARTS = {
    "face_keypoints_2d": "face",
    "hand_left_keypoints_2d": "left_hand",
    "hand_right_keypoints_2d": "right_hand",
}
"""Further lists of a person, and how their points are called."""
_BODIES = {len(skeleton.points): skeleton for skeleton in (BODY25, OPENPOSE18)}


def read(folder: Path, asked: Skeleton | None = None) -> Clip:
    """Read OpenPose's folder in the order of its file names, which count the frames.

    Faces and hands are read with the body where any person has them. Ids are in ``person_id`` if it is not -1.

    Args:
        folder: to read.
        asked: names the points of the body; ``None``: BODY_25 or COCO by their number.

    Raises:
        DataError: there is no such file, or one is invalid.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"), key=lambda file: natural(file.name))
    if not files:
        raise DataError(f"{folder}: has no file *{SUFFIX}; expected {EXPECTED}")
    documents = [_document(file) for file in files]
    people = [person for document in documents for person in document["people"]]
    if not people:
        raise DataError(f"{folder}: no person in {len(files)} files; there is nothing to read")
    sizes = _sizes(folder, files, documents)
    count = sizes[POSE]
    skeleton, notes = skeleton_of(folder, count, None, asked or _BODIES.get(count))
    given = [[_id(person) for person in document["people"]] for document in documents]
    tracked = any(one is not None for ids in given for one in ids)
    loose = iter(range(-1, -len(people) - 1, -1))
    frames = []
    for file, document, ids in zip(files, documents, given, strict=True):
        whole_ids = [next(loose) if one is None else one for one in ids] if tracked else None
        unique_ids(file, "the frame", whole_ids or [])
        frames.append(_poses(document["people"], sizes, whole_ids))
    digits = [last_number(file.name.removesuffix(SUFFIX)) for file in files]
    counted = [number for number in digits if number is not None]
    rising = len(counted) == len(files) and all(b > a for a, b in itertools.pairwise(counted))
    numbers, more = numbered(counted if rising else range(len(files)))
    heads = tuple({"name": file.name, "document": d} for file, d in zip(files, documents, strict=True))
    records = tuple(tuple(document["people"]) for document in documents)
    return Clip(_with_parts(skeleton, sizes), tuple(frames), numbers, None, heads, records, sizes, (*notes, *more))


def _document(file: Path) -> dict[str, Any]:
    content = load_json(read_content(file, EXPECTED), file, EXPECTED)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise DataError(f"{file}: expected an object with a list 'people', as OpenPose writes; got {kind(content)}")
    return content  # type: ignore[no-any-return]


def _sizes(folder: Path, files: Sequence[Path], documents: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of points of the body, and of each further list that some person has."""
    found: dict[str, int] = {POSE: 0}
    for file, document in zip(files, documents, strict=True):
        for number, person in enumerate(document["people"]):
            for key in (POSE, *PARTS):
                values = person.get(key, [])
                if not isinstance(values, list) or len(values) % 3 or any(decimal(value) is None for value in values):
                    raise DataError(
                        f"{file}: person {number} has {kind(values)} as {key!r}; expected three numbers a point"
                    )
                size = len(values) // 3
                if size and found.get(key, 0) not in (0, size):
                    raise DataError(
                        f"{file}: person {number} has {size} points in {key!r}, others have {found[key]}; all frames "
                        "must come from one model"
                    )
                if size:
                    found[key] = size
    if not found[POSE]:
        raise DataError(f"{folder}: no person has {POSE!r}; expected {EXPECTED}")
    return found


def _with_parts(skeleton: Skeleton, sizes: Mapping[str, int]) -> Skeleton:
    """The skeleton of the body with the points of the face and the hands."""
    more = tuple(f"{name}_{n}" for key, name in PARTS.items() if key in sizes for n in range(sizes[key]))
    if not more:
        return skeleton
    return Skeleton(
        name=f"{skeleton.name}_{len(skeleton.points) + len(more)}",
        points=(*skeleton.points, *more),
        mirror=skeleton.mirror,
        bones=skeleton.bones,
        sigmas=skeleton.sigmas,
    )


def _id(person: Mapping[str, Any]) -> int | None:
    """The id of a person; ``None`` for OpenPose's -1."""
    number = _single(person.get("person_id"))
    return None if number is None or number < 0 else number


def _row(person: Mapping[str, Any] | None, sizes: Mapping[str, int]) -> Float:
    """(K, 3) of a person as the file has them; NaN for lists that it does not have."""
    parts = [(person or {}).get(key) or [np.nan] * 3 * size for key, size in _ordered(sizes)]
    return np.array([decimal(value) for part in parts for value in part], np.float64).reshape(-1, 3)


def _ordered(sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(key, sizes[key]) for key in (POSE, *PARTS) if key in sizes]


def _poses(people: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], ids: list[int] | None) -> Poses:
    rows = np.array([_row(person, sizes) for person in people]).reshape(len(people), sum(sizes.values()), 3)
    xy = rows[..., :2] + HALF_PIXEL
    xy[(rows == 0).all(-1)] = np.nan
    return poses_of(xy, rows[..., 2], ids=None if ids is None else np.array(ids, np.int64))


def write(clip: Clip, folder: Path) -> None:
    """Write the clip as OpenPose's folder, with the file names and all other fields that were read.

    Raises:
        DataError: the folder has files of other frames.
    """
    names = {head["name"] for head in clip.heads}
    others = sorted(file.name for file in folder.glob(f"*{SUFFIX}") if file.name not in names)
    if others:
        raise DataError(f"{folder}: has frames of another clip ({listed(others)}); choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for head, poses, records in zip(clip.heads, clip.frames, clip.records, strict=True):
        people = [_person(poses, n, record, clip.source) for n, record in enumerate(records)]
        written(folder / head["name"], json.dumps({**head["document"], "people": people}) + "\n")


def _person(poses: Poses, row: int, record: Mapping[str, Any] | None, sizes: Mapping[str, int]) -> dict[str, Any]:
    """One person; lists that it did not have, and of which no point was found, stay empty."""
    person = dict(record or {"person_id": [-1]})
    values = points_as_before(poses, row, _row(record, sizes), HALF_PIXEL, 0.0)
    start = 0
    for key, size in _ordered(sizes):
        part = values[start : start + size]
        start += size
        if record is None or record.get(key) or part.any():
            person[key] = [float(f"{value:.12g}") for value in np.nan_to_num(part).ravel()]
    if poses.ids is not None and poses.ids[row] >= 0 and _id(person) != int(poses.ids[row]):
        person["person_id"] = [int(poses.ids[row])]
    return person


def _single(value: Any) -> int | None:
    return whole(value[0] if isinstance(value, list) and value else value)
