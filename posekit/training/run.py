"""One run from two sets to a folder: train, measure the best weights, write the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from posekit.pipelines.weights import load_weights
from posekit.recipe import Recipe
from posekit.training.evaluate import Measured, baselines, measure
from posekit.training.loop import Loop
from posekit.training.report import write_run_report
from posekit.training.sets import Sets


def train(
    recipe: Recipe,
    folder: Path,
    sets: Sets,
    *,
    device: str = "auto",
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> Measured | None:
    """Train as a recipe says.

    Args:
        recipe: what and how.
        folder: of the run; everything is written here.
        sets: labelled instances.
        device: where.
        resume: go on from the newest checkpoint, if there is one.
        say: prints a line.

    Returns:
        The measurement of the best weights; ``None`` on processes that do not measure.
    """
    loop = Loop(recipe, folder, sets.train, sets.val, device=device, people=sets.people, say=say)
    if resume and not loop.resume():
        say(f"no checkpoint in {folder}; starting from the beginning")
    scenes = f" in {sets.train.scenes} images" if recipe.whole else ""
    say(
        f"{len(sets.train)} instances{scenes} to learn from, {len(sets.val)} to measure on, "
        f"{loop.engine.device}, into {folder}"
    )
    outcome = loop.train()
    if not loop.engine.is_main_process:
        return None
    weights = load_weights(folder)
    best = measure(weights.net, recipe, sets.val, loop.engine.device)
    report = write_run_report(folder, recipe, outcome.progress, sets, best, baselines(recipe, sets, loop.engine.device))
    say(
        f"best {best.main} {best.value:.4g}; model in {folder / 'best'}, curves in {folder / 'metrics.csv'}, "
        f"report in {report}"
    )
    return best
