"""A whole run: train, evaluate the best weights, write the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import TIES, Measured, average_precision, compared, mean_pose, measure, ranked_by_ap
from posekit.evaluation.report import write_run_report
from posekit.evaluation.sets import Sets
from posekit.pipelines.predictor import Predictor
from posekit.recipe import Recipe
from posekit.training.initial import pretrained
from posekit.training.loop import Loop
from posekit.words import in_shell
from posekit.zoo.weights import load_weights


def train(
    recipe: Recipe,
    folder: Path,
    sets: Sets,
    *,
    device: str = "auto",
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> Measured | None:
    """Train a recipe.

    Args:
        recipe: model and training options.
        folder: output folder of the run.
        sets: training and validation set.
        device: "auto", "cpu", "cuda", ...
        resume: resume from the newest checkpoint, if there is one.
        say: prints a line.

    Returns:
        The evaluation of the best weights; ``None`` on processes other than the main one.
    """
    loop = Loop(recipe, folder, sets.train, sets.val, device=device, people=sets.people, say=say)
    if resume and not loop.resume():
        say(f"no checkpoint in {folder}; starting from the beginning")
    images = f" in {sets.train.scenes} images" if recipe.one_stage else ""
    say(
        f"{len(sets.train)} instances{images} to learn from, {len(sets.val)} to measure on, "
        f"{loop.engine.device}, into {folder}"
    )
    outcome = loop.train()
    if not loop.engine.is_main_process:
        return None
    weights = load_weights(folder)
    # Weights evaluated in this process need no second evaluation.
    best = outcome.best or measure(
        Predictor(TorchEngine(weights.net, recipe.full_codec, weights.spec, loop.engine.device)), sets.val
    )
    beside = baselines(recipe, sets, loop.engine.device)
    facts = {"network": recipe.model.backbone.kind, "codec": recipe.codec.kind}
    report = write_run_report(folder, weights.spec, sets, best, beside, outcome.progress.rows, facts)
    say(compared_line(best, beside, int(weights.spec.figures.get("epoch") or 0), outcome.progress.rows))
    say(f"model in {folder / 'best'}, curves in {folder / 'metrics.csv'}, report in {report}")
    run = in_shell(folder)
    say(f"next: posekit predict PHOTO --model {run}; posekit eval --model {run} --data LABELS")
    return best


def compared_line(
    best: Measured, beside: Mapping[str, Mapping[str, float]], epoch: int, rows: Sequence[Mapping[str, float]]
) -> str:
    """The metric of the model next to those of the baselines, and the epoch of its weights.

    Args:
        best: evaluation of the best weights.
        beside: figures of the baselines.
        epoch: of the best weights.
        rows: of metrics.csv; where several have the best value, the line says what decided between them.
    """
    others = ", ".join(f"{name} {figures[best.main]:.4g}" for name, figures in beside.items() if best.main in figures)
    own = next((row.get(f"val/{best.main}") for row in rows if row["epoch"] == epoch), None)
    equal = sum(own is not None and row.get(f"val/{best.main}") == own for row in rows)
    ties = f", the lowest {TIES} ({best.tie:.4g}) of {equal} epochs with this value" if equal > 1 else ""
    direction = "higher" if best.higher else "lower"
    return f"best {best.main} {best.value:.4g} at epoch {epoch}{ties} ({direction} is better; {others})"


def baselines(recipe: Recipe, sets: Sets, device: str | torch.device) -> dict[str, Mapping[str, float]]:
    """Metrics of two baselines: the mean pose, and the untrained network."""
    spec = recipe.spec()
    torch.manual_seed(recipe.seed)
    fresh = Predictor(TorchEngine(pretrained(recipe).build(), recipe.full_codec, spec, device))
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), sets.val, recipe.metric, spec)
    if not spec.needs_boxes:
        measured = ranked_by_ap(measured, average_precision(measured, sets.val))
    return {"mean pose": measured.figures, "untrained": measure(fresh, sets.val).figures}
