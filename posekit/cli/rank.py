"""`posekit eval --rank`: train a pose rescorer, tell what it gains, and keep it with the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from posekit.data.dataset import Dataset
from posekit.engines.spec import InferenceSpec
from posekit.evaluation.measure import Measured
from posekit.training.pose_scorer import train_rescorer
from posekit.zoo.folder import read_spec, write_spec


def check_finds(spec: InferenceSpec) -> None:
    """Refuse a model that finds one pose a box, where nothing is to be ranked.

    Raises:
        ValueError: the model is shown one box at a time, or its skeleton has no bones.
    """
    if spec.needs_boxes:
        raise ValueError(f"{spec.name} is shown one box at a time: --rank orders what is found in full images")
    if not spec.skeleton.bones:
        raise ValueError(f"skeleton {spec.skeleton.name!r} has no bones, so its poses have no shape to score")


def rank_and_tell(measured: Measured, dataset: Dataset, folder: Path, console: Console) -> dict[str, Any]:
    """Train, print both columns, keep the rescorer.

    Returns:
        What the figures' file says of it.
    """
    made = train_rescorer(measured.everyone, dataset)
    title = f"rescorer, trained on {made.poses} poses of the other images"
    table = Table("", "as the model scores", "rescored", title=title)
    for name, before in made.before.items():
        table.add_row(name, f"{before:.4f}", f"{made.after[name]:.4f}")
    console.print(table)
    write_spec(folder, replace(read_spec(folder), rescorer=made.rescorer))
    console.print(f"kept in {folder / 'config.json'}", markup=False, soft_wrap=True)
    return {"poses": made.poses, "before": made.before, "after": made.after}
