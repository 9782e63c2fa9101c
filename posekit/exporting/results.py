"""What goes into the check of an export, and what comes out of it. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.exporting.choices import Tried
from posekit.exporting.parity import Parity

Figures = dict[str, dict[str, float]]
"""Metrics by precision."""


class ExportError(RuntimeError):
    """An exported file that is not what the original is; only its report is kept."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What a file is compared on.

    Args:
        said: what the images are, in words.
        images: (N, H, W, 3) of the model's size.
        ranges: for INT8: labelled images to find the ranges of values with; ``None`` where training found them.
        test: for INT8: labelled images to measure on.
        max_drop: for INT8: largest loss of a metric.
    """

    said: str
    images: NDArray[np.uint8]
    ranges: Dataset | None = None
    test: Dataset | None = None
    max_drop: float = 0.0


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Args:
        file: the model.
        report: JSON with all that was compared.
        parity: differences from the original; ``None`` for INT8.
        figures: for INT8: metrics of the original (``fp32``, or ``trained`` in 8 bits) and of the file (``int8``) on
            the labelled data.
        images: what was compared, in words.
        tried: for INT8: the forms that were measured; the last is that of the file.
        repository: folder of the model in a repository of Triton; ``None`` where none was asked for.
    """

    file: Path
    report: Path
    parity: Parity | None
    figures: Figures
    images: str
    repository: Path | None = None
    tried: tuple[Tried, ...] = ()
