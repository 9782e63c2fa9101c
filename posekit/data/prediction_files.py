"""Parse files of predictions, independent of a data set.

Two forms are read: COCO's results, a list of objects with ``keypoints`` (x, y, score, flat) and ``image_id``,
``file_name`` or ``path``, and an object ``predictions`` from the number or name of an image to one pose, or several, of
[x, y, score]. Both count pixel centres from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from posekit.data.coco_columns import Table, number_rows, plain_value, whole_numbers
from posekit.data.coco_dataset import FURTHEST, HALF_PIXEL
from posekit.data.coco_structure import ABSENT, load_json
from posekit.data.errors import DataError, read_content, shown
from posekit.data.image_match import refuse_contradictions
from posekit.data.json_values import kind, whole

EXPECTED = "predictions as JSON: COCO results, or an object 'predictions' from image id to points (x, y, score)"
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoadedPredictions:
    """The predictions of a file, P of them.

    Args:
        poses: (P, K, 3) x, y, score; first pixel centre at (0.5, 0.5).
        numbers: (P,) ids of images; zeros where names are given.
        names: (P,) names of images; ``None``: they go by ids.
        score: (P,) score of the whole pose; where a file gives none, the mean of the points' scores.
    """

    poses: Float
    numbers: NDArray[np.int64]
    names: Sequence[str] | None
    score: Float


class Result(msgspec.Struct, gc=False):
    """One of COCO's results."""

    image_id: Any = None
    file_name: Any = None
    path: Any = None
    score: Any = None
    keypoints: msgspec.Raw = ABSENT


_RESULTS = msgspec.json.Decoder(list[Result])


def load_predictions(file: Path) -> LoadedPredictions:
    """Read a file of predictions.

    Raises:
        DataError: the file is invalid.
    """
    content = read_content(file, EXPECTED)
    try:
        results = _RESULTS.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        parsed = load_json(content, file, EXPECTED)
        if isinstance(parsed, dict):
            results = _by_image(file, parsed)
        elif isinstance(parsed, list) and all(isinstance(entry, dict) for entry in parsed):
            known = Result.__struct_fields__
            results = [Result(**{key: entry[key] for key in known if key in entry}) for entry in parsed]
        else:
            raise DataError(f"{file}: not {EXPECTED}; got {kind(parsed)}") from None
    if not results:
        raise DataError(f"{file}: holds no predictions; expected {EXPECTED}")
    table = Table(file, "predictions", [None] * len(results))
    poses = _poses(table, results)
    numbers, names = _images(table, results)
    return LoadedPredictions(poses, numbers, names, _scores(table, results, poses))


def _by_image(file: Path, content: dict[str, Any]) -> list[Result]:
    """Results from an object of images to poses; numeric keys are ids, all others names."""
    predictions = content.get("predictions")
    if not isinstance(predictions, dict):
        raise DataError(
            f"{file}: not {EXPECTED}; 'predictions' is {kind(predictions)}, the file has {shown(sorted(content))}"
        )
    numbered = all(whole(key) is not None for key in predictions)
    results = []
    for key, value in predictions.items():
        several = isinstance(value, list) and bool(value) and isinstance(value[0], list) and _nested(value[0])
        for pose in value if several else [value]:
            about: dict[str, Any] = {"image_id": whole(key)} if numbered else {"file_name": key}
            results.append(Result(**about, keypoints=_flat(file, key, pose)))
    return results


def _nested(pose: list[Any]) -> bool:
    return bool(pose) and isinstance(pose[0], list)


def _flat(file: Path, key: str, pose: Any) -> Any:
    """A pose of [x, y, score] as one list."""
    if not isinstance(pose, list) or not all(isinstance(point, list) and len(point) == 3 for point in pose):
        raise DataError(
            f"{file}: not {EXPECTED}; image {shown(key)} has {kind(pose)}, expected one pose of [x, y, score] for each "
            "point, or several"
        )
    return [value for point in pose for value in point]


def _poses(table: Table, results: Sequence[Result]) -> Float:
    values = [result.keypoints for result in results]
    width = _width(table, values)
    rows = number_rows("keypoints", values, width, group=3)
    bad = rows.shapes | rows.others | {int(i): "no keypoints" for i in np.flatnonzero(~rows.given)}
    if bad:
        first = min(bad)
        table.refuse(
            sorted(bad),
            "keypoints",
            f"do not have {width} numbers in 'keypoints' (x, y, score for each point)",
            bad[first],
            "give all points of one skeleton, in one order",
        )
    poses = rows.values.reshape(-1, width // 3, 3)
    endless = ~np.isfinite(poses).all((1, 2))
    if endless.any():
        raise DataError(f"{table.file}: {endless.sum()} predictions have numbers that are not finite; leave them out")
    far = (np.abs(poses[..., :2]) > FURTHEST).any((1, 2))
    if far.any():
        raise DataError(f"{table.file}: {far.sum()} predictions have points far outside any image; give pixels")
    poses[..., :2] += HALF_PIXEL
    return poses


def _scores(table: Table, results: Sequence[Result], poses: Float) -> Float:
    """(P,) scores of poses."""
    values = [result.score for result in results]
    bad = [
        number
        for number, value in enumerate(values)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value))
    ]
    if bad:
        table.refuse(bad, "score", "have no number as 'score'", kind(values[bad[0]]), "give a number, or leave it out")
    given = np.array([np.nan if value is None else float(value) for value in values])
    return np.where(np.isnan(given), poses[..., 2].mean(1), given)


def _width(table: Table, values: Sequence[Any]) -> int:
    """Number of values of a prediction: that of the first that has any."""
    for value in values:
        first = plain_value(value)
        if isinstance(first, list) and first:
            nested = all(isinstance(point, list) and len(point) == 3 for point in first)
            width = len(first) * (3 if nested else 1)
            if width % 3 == 0:
                return width
            raise DataError(
                f"{table.file}: not {EXPECTED}; 'keypoints' of {width} numbers are not three a point: {shown(first)}"
            )
    raise DataError(f"{table.file}: not {EXPECTED}; no prediction has 'keypoints'")


def _images(table: Table, results: Sequence[Result]) -> tuple[NDArray[np.int64], Sequence[str] | None]:
    """Ids of images, and their names if given."""
    names = [next((n for n in (r.path, r.file_name) if isinstance(n, str) and n), None) for r in results]
    values = [result.image_id for result in results]
    if any(name is not None for name in names):
        bare = [i for i, name in enumerate(names) if name is None]
        what = "have no 'file_name', but others do"
        table.refuse(bare, "file_name", what, "", "give it for all predictions, or for none")
        given = [str(name) for name in names]
        refuse_contradictions(table.file, [whole(value) for value in values], given)
        return np.zeros(len(results), np.int64), given
    numbers, known = whole_numbers(table, "image_id", values)
    bad = np.flatnonzero(~known).tolist()
    if bad:
        came = kind(values[bad[0]])
        table.refuse(bad, "image_id", "have no whole number as 'image_id'", came, "give it, or 'file_name'")
    return numbers, None
