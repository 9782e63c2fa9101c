"""`posekit eval --model RUN --data F`: how good a model is, in figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console


@dataclass(frozen=True)
class Options:
    """Measure a model on labelled images."""

    model: str
    "a run folder, a weights folder, or a hub id"
    data: tuple[Path, ...]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    metric: str | None = None
    "protocol that is printed first; default: the one the model was chosen by"
    flip_test: bool | None = None
    "average with the mirrored image; default: as in training"
    device: str = "cpu"
    "cpu, cuda, mps"
    json: Path | None = None
    "also write the figures to this file"


def run(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit eval")
    from dataclasses import replace

    from posekit.pipelines.weights import load_weights
    from posekit.recipe import Data, RecipeError
    from posekit.training.evaluate import average_precision, measure
    from posekit.training.sets import read_set
    from posekit.training.tables import figures_table, points_table

    weights = load_weights(options.model)
    recipe = weights.recipe
    data = Data(images=options.images, category=options.category, skeleton=recipe.data.skeleton)
    dataset = read_set(data, options.data, "val")
    if dataset.skeleton.points != recipe.skeleton.points:
        raise RecipeError(
            f"the model finds {list(recipe.skeleton.points)}, the data labels {list(dataset.skeleton.points)}"
        )
    if options.flip_test is not None:
        recipe = replace(recipe, train=replace(recipe.train, flip_test=options.flip_test))
    if options.metric is not None:
        recipe = replace(recipe, metric=options.metric)
    measured = measure(weights.net.to(options.device), recipe, dataset, options.device, progress=True)
    console = Console(highlight=False)
    console.print(f"{len(dataset)} instances, {weights.path}", markup=False, soft_wrap=True)
    precision = average_precision(measured, dataset)
    console.print(figures_table(measured, precision))
    console.print(points_table(measured, recipe.skeleton))
    if options.json is not None:
        text = {
            "model": str(weights.path),
            "data": [str(f) for f in options.data],
            "figures": measured.figures | precision,
        }
        options.json.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    return 0
