"""A budget in time as a budget in images: a short timing of every method's training step."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import torch

from posekit.data.batch import Batch, collate
from posekit.evaluation.sets import Sets
from posekit.recipe import Recipe
from posekit.studies.compare.plan import SHARES, images_for
from posekit.training.loader import training_view
from posekit.training.task import Task
from posekit.training.wrap import wrap_task

STEPS = 3
"""Timed training steps of each method, after one that is not timed."""
EXPORT = 12.0
"""Seconds for exporting and checking a model."""
INFERENCE = 0.5
"""Time of predicting an image relative to training on it; an upper estimate."""
SPARE = 0.9
"""Share of the time that is planned for."""


def timed(
    recipes: Mapping[str, Recipe], sets: Sets, batch: int, device: str, say: Callable[[str], None]
) -> dict[str, float]:
    """Seconds of a training image of each method, with reading and augmentation: the median of `STEPS` steps.

    Args:
        recipes: by method.
        sets: images that are trained on.
        batch: images in a step.
        device: of the training.
        say: prints the result.
    """
    seconds = {name: _timed(recipe, sets, batch, device) for name, recipe in recipes.items()}
    told = ", ".join(f"{name} {1000 * value:.0f}" for name, value in seconds.items())
    say(f"a training image takes, in milliseconds: {told}")
    return seconds


def _timed(recipe: Recipe, sets: Sets, batch: int, device: str) -> float:
    crops = training_view(sets.train, recipe)
    task = wrap_task(Task(recipe, recipe.build(weights=False)), recipe, sets.train, steps=STEPS).train()
    where = torch.device("cpu" if device == "auto" else device)
    task = task.to(where)
    optimizer = torch.optim.AdamW(task.parameters(), lr=1e-6)
    spent = []
    for number in range(STEPS + 1):
        start = time.perf_counter()
        items = islice(((0, (number * batch + i) % len(crops)) for i in range(batch)), batch)
        made: Batch = collate([crops[item] for item in items])
        optimizer.zero_grad()
        torch.stack(list(task(made.to(where)).values())).sum().backward()
        optimizer.step()
        if where.type == "cuda":
            torch.cuda.synchronize(where)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent[1:]) / batch


def images_in(asked: float, seconds: Mapping[str, float], sets: Sets, jobs: int, say: Callable[[str], None]) -> int:
    """Images that each method may see in a time in minutes, with all that is measured; says how it was reckoned.

    Raises:
        ValueError: the time is too short.
    """
    methods, rungs = len(seconds), len(SHARES)
    predicting = INFERENCE * len(sets.val) * sum(seconds.values()) * (rungs + 2)
    overhead = (methods * ((rungs + 1) * process_start() + EXPORT) + predicting) / max(jobs, 1)
    images = images_for(60 * asked * SPARE, max(jobs, 1), seconds.values(), overhead)
    say(
        f"{asked:g} minutes with {jobs} process{'es' if jobs != 1 else ''}: about {overhead / 60:.1f} for starting, "
        f"exporting and measuring, the rest for {images:,} images by each of {methods} methods if none is stopped early"
    )
    return images


def process_start() -> float:
    """Seconds to start a process that trains."""
    start = time.perf_counter()
    words = [sys.executable, "-c", "import posekit.training.loop"]
    subprocess.run(words, capture_output=True, check=False, cwd=Path.cwd())
    return time.perf_counter() - start
