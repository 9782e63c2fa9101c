"""Real data for the full forms of studies, where it is there: the folder in POSEKIT_DATA, or ~/.cache/posekit."""

from __future__ import annotations

import os
from pathlib import Path

from posekit.data.dataset import Dataset
from posekit.data.readers import read


def real_set(file: str) -> Dataset | None:
    """A data set by its label file in the folder, such as ``lspe/annotations/lspe_val.json``; None if absent."""
    path = Path(os.environ.get("POSEKIT_DATA", "~/.cache/posekit")).expanduser() / file
    return read(path) if path.is_file() else None
