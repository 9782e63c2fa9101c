"""`posekit eval --rank`: teach what a good pose looks like, tell what it gains, and keep it beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from posekit.data.dataset import Dataset
from posekit.pipelines.pose_ranking import save_ranking
from posekit.recipe import Recipe, RecipeError
from posekit.training.evaluate import Measured
from posekit.training.rank_poses import teach_ranking


def check_whole(recipe: Recipe) -> None:
    """Refuse what finds one pose a box, where nothing is to be ranked.

    Raises:
        RecipeError: the model is shown one box at a time, or its skeleton has no bones.
    """
    if not recipe.whole:
        raise RecipeError(f"{recipe.name} is shown one box at a time: --rank orders what is found in whole images")
    if not recipe.skeleton.bones:
        raise RecipeError(f"skeleton {recipe.skeleton.name!r} has no bones, so its poses have no shape to judge")


def rank_and_tell(measured: Measured, dataset: Dataset, folder: Path, console: Console) -> dict[str, Any]:
    """Teach, print both columns, write the network.

    Returns:
        What the figures' file says of it.
    """
    made = teach_ranking(measured.everyone, dataset)
    title = f"ranking, taught on {made.taught} poses of the other images"
    table = Table("", "as the model scores", "scored anew", title=title)
    for name, before in made.before.items():
        table.add_row(name, f"{before:.4f}", f"{made.after[name]:.4f}")
    console.print(table)
    console.print(f"kept in {save_ranking(folder, made.net)}", markup=False, soft_wrap=True)
    return {"taught": made.taught, "before": made.before, "after": made.after}
