"""Depths of points in COCO files: a list of numbers or nulls beside ``keypoints``, relative to the root.

COCO has no such field; other readers ignore it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco_columns import Mask, Table, plain_value
from posekit.data.coco_structure import ABSENT
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed, shown
from posekit.data.json_values import decimal, is_number

KEY = "depth"
DEEPEST = 1e9
"""Largest valid depth, in any unit."""


def read_depths(
    table: Table, values: Sequence[Any], points: int
) -> tuple[NDArray[np.float32], Mask] | tuple[None, None]:
    """Depths (M, K) float32, 0 where unknown, and (M, K) bool where known; ``None`` where no annotation has any.

    Args:
        table: of the annotations, for messages.
        values: depths of each annotation, JSON text or already a list; none where there are none.
        points: K.

    Raises:
        DataError: a list of another length, or with something that is neither a number nor null.
    """
    if all(value is ABSENT or value is None for value in values):
        return None, None
    read = list(map(plain_value, values))
    if all(row is None for row in read):
        return None, None
    rows = [[None] * points if row is None else _row(row, points) for row in read]
    bad = [i for i, row in enumerate(rows) if row is None]
    if bad:
        who = listed([i + 1 if table.ids[i] is None else shown(table.ids[i]) for i in bad])
        error = DataError(
            f"{table.file}: {KEY!r} must be a list of {points} numbers, one for each point, or null where unknown; "
            f"annotations {who} have something else"
        )
        table.keep(error.about(({"id": table.ids[i], "image_id": None} for i in bad), KEY))
    depth = np.array([row or [None] * points for row in rows], np.float64).reshape(-1, points)
    known = ~np.isnan(depth)
    return np.where(known, depth, 0).astype(np.float32), known


def _row(row: Any, points: int) -> list[float | None] | None:
    """Depths as numbers, or ``None`` if they are invalid."""
    if not isinstance(row, list) or len(row) != points:
        return None
    numbers = [None if value is None else decimal(value) if is_number(value) else math.nan for value in row]
    return numbers if all(n is None or abs(n) <= DEEPEST for n in numbers) else None


def depth_entries(dataset: Dataset, rows: slice) -> list[dict[str, Any]]:
    """For each of some rows the extra entries of its annotation: none, or its depths."""
    if dataset.depth is None:
        return [{}] * len(dataset.role[rows])
    depth: Any = dataset.depth[rows].astype(float).round(6).astype(object)
    known: Any = np.ones(depth.shape, bool) if dataset.depth_known is None else dataset.depth_known[rows]
    depth[~known] = None
    return [{KEY: row} if some else {} for row, some in zip(depth.tolist(), known.any(1).tolist(), strict=True)]
