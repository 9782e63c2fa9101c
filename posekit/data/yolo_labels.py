"""The label files of a YOLO-pose set: find and parse them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError, decoded, listed, read_content, shown
from posekit.data.folders import is_file
from posekit.words import singular

EXPECTED = "YOLO-pose labels"
FURTHEST_BOX = 2
"""Largest valid fraction of a box; larger values are pixels."""

FURTHEST_POINT = 10
"""Largest valid fraction of a labelled point; larger values are pixels."""

MOST_CLASSES = 10_000
Float = NDArray[np.float64]


def label_path(image: Path) -> Path:
    """The label file of an image.

    The last folder named images becomes labels, the ending .txt. If there is no such file, it is searched under other
    folders named images, beside the image, and ignoring case, as some tools write it.
    """
    locations = _locations(image)
    likely = next(locations)
    return likely if is_file(likely) else next(filter(is_file, locations), likely)


def _locations(image: Path) -> Iterator[Path]:
    """Possible label files of an image, the likely one first."""
    bare = os.path.splitext(image)[0]  # noqa: PTH122 (a pathlib suffix cannot be given to every name)
    parts = Path(f"{bare}.txt").parts
    folders = [i for i in range(len(parts) - 2, -1, -1) if parts[i].lower() == "images"]
    # The exact word comes before other spellings of it.
    for i in sorted(folders, key=lambda i: parts[i] != "images"):
        word = "labels" if parts[i].islower() else "LABELS" if parts[i].isupper() else "Labels"
        swapped = Path(*parts[:i], word, *parts[i + 1 :])
        yield swapped
        yield Path(f"{str(swapped)[:-4]}.TXT")
        if word != "labels":
            yield Path(*parts[:i], "labels", *parts[i + 1 :])
    yield Path(f"{bare}.txt")
    yield Path(f"{bare}.TXT")


def label_rows(file: Path, width: int) -> Float:
    """(rows, width) numbers of one label file; no rows if it does not exist or is empty.

    Raises:
        DataError: a line has the wrong number of values, or a value is not a number.
    """
    if not is_file(file):
        return np.zeros((0, width))
    content = read_content(file, EXPECTED)
    if not content.strip():
        return np.zeros((0, width))
    return parse_rows(file, decoded(content, file, EXPECTED).splitlines(), width)


def parse_rows(file: Path, lines: Sequence[str], width: int) -> Float:
    """`label_rows` of lines; ``file`` is for the message.

    Raises:
        DataError: as `label_rows`.
    """
    words = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    wrong = [(number, len(line)) for number, line in words if len(line) != width]
    if wrong:
        hint = " (boxes without points: is this a detection set?)" if wrong[0][1] == 5 else ""
        raise DataError(
            f"{file}: {singular(f'{len(wrong)} lines do')} not have {width} numbers (class, box, points as kpt_shape "
            f"says): lines {listed([i for i, _ in wrong])}; the first has {wrong[0][1]}{hint}; correct kpt_shape or "
            "the labels"
        )
    try:
        rows = np.array([line for _, line in words], np.float64).reshape(-1, width)
    except ValueError:
        number, word = next((n, w) for n, line in words for w in line if not _is_float(w))
        raise DataError(f"{file}: expected numbers only; line {number} has {shown(word)}") from None
    numbers = np.array([number for number, _ in words], np.int64)
    _refuse(
        file, numbers, np.asarray(~np.isfinite(rows).all(1)), " have NaN or infinite numbers", "write 0 0 0 instead"
    )
    classes = rows[:, 0]
    odd = (classes != np.floor(classes)) | (classes < 0) | (classes >= MOST_CLASSES)
    _refuse(file, numbers, odd, " do not begin with the number of a class", "write 0, 1, 2, ...")
    odd = np.asarray((rows[:, 3:5] < 0).any(1) | (np.abs(rows[:, 1:5]) > FURTHEST_BOX).any(1))
    _refuse(file, numbers, odd, ": a box is not in fractions of the image (0 to 1)", "divide by width and height")
    return rows


def _is_float(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refuse(file: Path, numbers: NDArray[np.int64], bad: NDArray[np.bool_], what: str, fix: str) -> None:
    """Raise one error for all lines at fault."""
    if bad.any():
        raise DataError(f"{file}: lines {listed(numbers[bad].tolist())}{what}; {fix}")


def visibility_of(file: Path, points: Float) -> NDArray[np.int8]:
    """(rows, K) int8 visibility of points (rows, K, 2 or 3) as a file has them.

    Raises:
        DataError: one is neither 0, 1 nor 2, or a labelled point is not in fractions.
    """
    if points.shape[2] == 3:
        odd = ~np.isin(points[..., 2], (0, 1, 2))
        if odd.any():
            raise DataError(
                f"{file}: {singular(f'{odd.sum()} points have')} a visibility other than 0 (no label), 1 (hidden), "
                f"2 (seen), such as {points[..., 2][odd][0]:g}; correct the labels, or kpt_shape"
            )
        visibility = points[..., 2].astype(np.int8)
    else:
        visibility = np.where((points > 0).any(-1) & (points >= 0).all(-1), 2, 0).astype(np.int8)
    far = (visibility > 0) & (np.abs(points[..., :2]) > FURTHEST_POINT).any(-1)
    if far.any():
        raise DataError(
            f"{file}: {singular(f'{far.sum()} points are')} not in fractions of the image (0 to 1), such as "
            f"{points[far][0, :2].tolist()}; divide by width and height"
        )
    return visibility
