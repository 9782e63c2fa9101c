"""`posekit eval --calibrate`: calibrate the scores, print the result, and save it with the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from posekit.data.dataset import Dataset
from posekit.evaluation.calibrate import Calibrated, calibrate
from posekit.evaluation.measure import Measured
from posekit.metrics.calibration import HIGHEST, Reliability
from posekit.visualize.reliability import reliability_diagram
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import read_spec, write_spec


def check_ours(model: str, folder: Path, what: str = "a calibration") -> None:
    """Refuse to write into the cache of the hub.

    Args:
        model: as the user named it.
        folder: of its weights.
        what: would be written there.

    Raises:
        WeightsError: the folder lies in the cache of the hub.
    """
    if folder not in (Path(model), Path(model) / "best"):
        raise WeightsError(
            f"{model}: {what} is written into the model's folder, and this one is in the cache of the hub; "
            f"copy {folder} and give the copy as --model"
        )


def calibrate_and_tell(
    measured: Measured, dataset: Dataset, folder: Path, within: float | None, console: Console
) -> dict[str, Any]:
    """Fit, print both tables, write ``config.json`` and ``reliability.png``.

    Returns:
        The entry for the file of --json.
    """
    made = calibrate(measured, dataset, within)
    calibration = made.calibration
    console.print(
        f"calibration: a score is the probability of an {calibration.meaning}; fitted on {made.fitted} points in "
        f"images with even ids, tables of {int(made.before.count.sum())} points in images with odd ids",
        markup=False,
        soft_wrap=True,
    )
    console.print(reliability_table("before", made.before))
    console.print(reliability_table("after", made.after))
    if calibration.temperature >= HIGHEST * (1 - 1e-9):
        console.print("the scores do not separate correct points from wrong ones", soft_wrap=True)
    picture = _draw(made, folder / "reliability.png")
    write_spec(folder, replace(read_spec(folder), calibration=calibration))
    console.print(
        f"temperature {calibration.temperature:.4g}, shift {calibration.shift:.4g}, saved in {folder / 'config.json'}; "
        f"diagram in {picture}; evaluate on other images from now on, since these were used to fit",
        markup=False,
        soft_wrap=True,
    )
    return {
        "temperature": calibration.temperature,
        "shift": calibration.shift,
        "meaning": calibration.meaning,
        "expected_error": {"before": made.before.expected_error, "after": made.after.expected_error},
        "largest_error": {"before": made.before.largest_error, "after": made.after.largest_error},
    }


def reliability_table(name: str, table: Reliability) -> Table:
    """Bins of scores, lowest first, and the errors over all of them."""
    errors = f"expected error {table.expected_error:.4f}, largest {table.largest_error:.4f}"
    rows = Table("scores", "points", "mean score", "share correct", title=f"{name}: {errors}", title_justify="left")
    for low, high, count, score, share in zip(
        table.edges, table.edges[1:], table.count, table.score, table.share, strict=False
    ):
        rows.add_row(f"{low:.3f} to {high:.3f}", str(int(count)), f"{score:.4f}", f"{share:.4f}")
    return rows


def _draw(made: Calibrated, file: Path) -> Path:
    tables = {"before": made.before, "after": made.after}
    picture = reliability_diagram(
        "share of correct points by score",
        {
            f"{name}: expected error {table.expected_error:.3f}": list(
                zip(table.score, table.share, table.count, strict=True)
            )
            for name, table in tables.items()
        },
        "mean score of a bin",
        f"share of points with {made.calibration.meaning}",
    )
    if not cv2.imwrite(str(file), np.ascontiguousarray(picture[..., ::-1])):
        raise OSError(f"{file}: could not be written")
    return file
