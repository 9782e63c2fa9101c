"""`posekit eval --rank`: train a pose rescorer, print its gain, and save it with the model."""

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
    """Refuse a model of crops, which finds one pose in each box and needs no ranking.

    Raises:
        ValueError: the model works on crops, or its skeleton has no bones.
    """
    if spec.needs_boxes:
        raise ValueError(f"{spec.name} works on crops around boxes: --rank is for one-stage models")
    if not spec.skeleton.bones:
        raise ValueError(f"skeleton {spec.skeleton.name!r} has no bones, which --rank needs to score poses")


def rank_and_tell(measured: Measured, dataset: Dataset, folder: Path, console: Console) -> dict[str, Any]:
    """Train, print the AP before and after, save the rescorer.

    Returns:
        The entry for the file of --json.
    """
    made = train_rescorer(measured.everyone, dataset)
    title = f"rescorer, trained on {made.poses} poses of the other half of the images"
    table = Table("", "before", "rescored", title=title)
    for name, before in made.before.items():
        table.add_row(name, f"{before:.4f}", f"{made.after[name]:.4f}")
    console.print(table)
    write_spec(folder, replace(read_spec(folder), rescorer=made.rescorer))
    console.print(f"saved in {folder / 'config.json'}", markup=False, soft_wrap=True)
    return {"poses": made.poses, "before": made.before, "after": made.after}
