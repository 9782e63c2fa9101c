"""Depths of points in COCO files: a list of numbers or nulls beside ``keypoints``, relative to the root.

COCO has no such field; this one keeps the file readable for everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed

KEY = "depth"


def read_depths(
    file: Path, annotations: Sequence[dict[str, Any]], points: int
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Depths (M, K) float32, 0 where unknown, and (M, K) bool where known; ``None`` where no annotation has any.

    Raises:
        DataError: a list of another length, or with something that is neither a number nor null.
    """
    if not any(a.get(KEY) is not None for a in annotations):
        return None, None
    rows = [a.get(KEY) if a.get(KEY) is not None else [None] * points for a in annotations]
    bad = [
        a.get("id", i) for i, (a, row) in enumerate(zip(annotations, rows, strict=True), 1) if not _is_row(row, points)
    ]
    if bad:
        raise DataError(
            f"{file}: {KEY!r} wants {points} numbers, one for each point, or null where unknown; "
            f"annotations {listed(bad)} have something else"
        ).about((a for a, row in zip(annotations, rows, strict=True) if not _is_row(row, points)), KEY)
    depth = np.array([[0.0 if value is None else value for value in row] for row in rows], np.float64)
    known = np.array([[value is not None for value in row] for row in rows], bool)
    return depth.astype(np.float32), known


def _is_row(row: Any, points: int) -> bool:
    if not isinstance(row, list) or len(row) != points:
        return False
    return all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value))
        for value in row
    )


def depth_entries(dataset: Dataset) -> list[dict[str, Any]]:
    """For each row what its annotation holds beside the rest: nothing, or its depths."""
    if dataset.depth is None:
        return [{} for _ in dataset.role]
    known = np.ones(dataset.depth.shape, bool) if dataset.depth_known is None else dataset.depth_known
    rows = zip(dataset.depth.astype(float).round(6).tolist(), known.tolist(), strict=True)
    return [
        {KEY: [value if told else None for value, told in zip(row, is_known, strict=True)]} if any(is_known) else {}
        for row, is_known in rows
    ]
