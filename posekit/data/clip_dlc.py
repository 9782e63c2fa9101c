"""DeepLabCut's and Lightning Pose's csv: header rows scorer, (individuals), bodyparts, coords; a row for each frame.

Pixel indices: the reader adds 0.5, the writer takes it off. Empty cells and NaN are missing.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posekit.data.clips import Clip, Float, last_number, numbered, points_as_before, poses_of, skeleton_of, written
from posekit.data.coco_dataset import HALF_PIXEL
from posekit.data.errors import DataError, listed, read_text, shown
from posekit.data.json_values import decimal
from posekit.geometry.skeleton import Skeleton

EXPECTED = (
    "DeepLabCut's csv: rows 'scorer', perhaps 'individuals', 'bodyparts', 'coords' (x, y, likelihood), then frames"
)
HEADS = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))
_COORDS = ("x", "y", "likelihood")


@dataclass(frozen=True, eq=False)
class Layout:
    """What the columns of a file are.

    Args:
        head: the header rows as they are.
        individuals: names, one for each instance.
        columns: (individuals, K, 3) column of x, y and likelihood; -1 where there is none.
        first: number of columns before the first point.
    """

    head: list[list[str]]
    individuals: list[str]
    columns: np.ndarray
    first: int


def read(file: Path, asked: Skeleton | None = None) -> Clip:
    """Read the csv; individuals are instances, and their order gives the ids.

    Args:
        file: to read.
        asked: other names of the points; ``None``: the bodyparts.

    Raises:
        DataError: the file is invalid.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(file, EXPECTED))))
    except csv.Error as error:
        raise DataError(f"{file}: {error}; expected {EXPECTED}") from None
    layout, parts = _layout(file, rows)
    skeleton, notes = skeleton_of(file, len(parts), parts, asked)
    body = [row for row in rows[len(layout.head) :] if any(row)]
    if not body:
        raise DataError(f"{file}: has no row after the header; expected {EXPECTED}")
    cells = _cells(file, body, layout)
    ids = np.arange(len(layout.individuals))
    frames, records = [], []
    for values, row in zip(cells, body, strict=True):
        present = np.isfinite(values[..., :2]).all(-1).any(-1)
        frames.append(poses_of(values[present][..., :2] + HALF_PIXEL, values[present][..., 2], ids=ids[present]))
        records.append(tuple([row] * int(present.sum())))
    numbers, more = _numbers(body, layout.first)
    return Clip(skeleton, tuple(frames), numbers, None, tuple(body), tuple(records), layout, (*notes, *more))


def _layout(file: Path, rows: list[list[str]]) -> tuple[Layout, list[str]]:
    """The columns, and the names of the points."""
    for head in HEADS:
        if tuple(row[0].strip() if row else "" for row in rows[: len(head)]) == head:
            break
    else:
        raise DataError(
            f"{file}: not {EXPECTED}; the first column begins {shown([row[0] if row else '' for row in rows[:4]])}"
        )
    top = rows[: len(head)]
    width = len(top[0])
    ragged = [n for n, row in enumerate(rows, 1) if any(row) and len(row) != width]
    if ragged:
        raise DataError(f"{file}: lines {listed(ragged)} do not have {width} cells as the header; write them in full")
    coords = top[-1]
    first = next((n for n, cell in enumerate(coords) if cell in _COORDS), width)
    individuals = top[1] if len(head) == 4 else [""] * width
    found: dict[tuple[str, str], dict[str, int]] = {}
    for column in range(first, width):
        if coords[column] in _COORDS:
            found.setdefault((individuals[column], top[-2][column]), {})[coords[column]] = column
    lame = [part for (_, part), where in found.items() if not {"x", "y"} <= set(where)]
    if lame or not found:
        raise DataError(f"{file}: bodyparts {listed(lame)} have no x and y; expected {EXPECTED}")
    names = list(dict.fromkeys(who for who, _ in found))
    parts = list(dict.fromkeys(part for _, part in found))
    columns = np.array([[[found.get((w, p), {}).get(c, -1) for c in _COORDS] for p in parts] for w in names], np.int64)
    return Layout(top, names, columns, first), parts


def _cells(file: Path, body: list[list[str]], layout: Layout) -> Float:
    """(F, individuals, K, 3) as the file has them; NaN where empty; likelihood 1 where there is no such column."""
    table = np.full((len(body), len(body[0]) + 1), np.nan)
    for n, row in enumerate(body):
        for column in range(layout.first, len(row)):
            cell = row[column].strip()
            value = np.nan if cell.lower() in ("", "nan") else decimal(cell)
            if value is None and (layout.columns == column).any():
                line = n + len(layout.head) + 1
                raise DataError(
                    f"{file}: line {line}, cell {column + 1} is {shown(cell)}; expected a number or nothing"
                )
            table[n, column] = np.nan if value is None else value
    values = table[:, layout.columns]
    values[..., 2] = np.where(layout.columns[..., 2] < 0, 1.0, values[..., 2])
    return values


def _numbers(body: Sequence[Sequence[str]], first: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Frame numbers from the last column of the index: a number, or the name of an image."""
    digits = [last_number(Path(row[first - 1]).stem) for row in body]
    counted = [number for number in digits if number is not None]
    if len(counted) < len(body) or any(b <= a for a, b in itertools.pairwise(counted)):
        return np.arange(len(body)), ()
    return numbered(counted)


def write(clip: Clip, file: Path) -> None:
    """Write the clip as DeepLabCut's csv: header, index and all other columns as they came.

    Raises:
        DataError: an instance is none of the individuals.
    """
    layout: Layout = clip.source
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(layout.head)
    for row, poses in zip(clip.heads, clip.frames, strict=True):
        cells = list(row)
        before = _cells(file, [cells], layout)[0]
        ids = [] if poses.ids is None else np.asarray(poses.ids).tolist()
        if len(ids) < len(poses) or any(not 0 <= one < len(layout.individuals) for one in ids):
            raise DataError(f"{file}: instances have ids {ids}; the file has {len(layout.individuals)} individuals")
        for n in range(len(layout.individuals)):
            new = np.full(before.shape[1:], np.nan)
            if n in ids:
                new = points_as_before(poses, ids.index(n), before[n], HALF_PIXEL, np.nan)
            _set(cells, layout.columns[n], before[n], new)
        writer.writerow(cells)
    written(file, out.getvalue())


def _set(cells: list[str], columns: np.ndarray, before: Float, new: Float) -> None:
    """Put the numbers of an individual that changed into a row."""
    changed = ~((new == before) | (np.isnan(new) & np.isnan(before))) & (columns >= 0)
    for k, c in np.argwhere(changed).tolist():
        value = new[k, c]
        cells[columns[k, c]] = "" if np.isnan(value) else f"{value:.12g}"
