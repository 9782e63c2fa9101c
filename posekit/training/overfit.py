"""Sanity check: overfit a few samples without augmentation, to see whether a set-up can learn at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count as count_from
from pathlib import Path

import numpy as np

from posekit.data.dataset import Dataset
from posekit.evaluation.measure import Measured, measure
from posekit.recipe import Recipe
from posekit.training.loop import Loop
from posekit.transforms.compose import Augment
from posekit.words import plural

ROUNDS, STEPS = 8, 50
"""Largest number of evaluations, and steps between them: about a minute for a small network on one CPU thread."""
NEAR_ZERO = 0.02
"""Median error, as a fraction of the crop's longer side, below which samples count as overfitted."""


def overfit_recipe(recipe: Recipe, count: int) -> Recipe:
    """The recipe without everything that hinders overfitting: augmentation, regularisation and the like."""
    steps = replace(
        recipe.train,
        epochs=ROUNDS,
        batch=count,
        schedule="cosine",
        ema=0.0,
        weight_decay=0.0,
        eval_every=1,
        patience=0,
        tensorboard=False,
        accumulate=1,
    )
    return replace(recipe, name=f"{recipe.name}-overfit", augment=Augment.none(), train=steps)


def overfit(recipe: Recipe, folder: Path, dataset: Dataset, count: int, device: str, say: Callable[[str], None]) -> int:
    """Overfit ``count`` samples and report whether that worked; stops early on success.

    Returns:
        Exit status: 0 if the median error is near zero, else 1.
    """
    if count > len(dataset):
        say(f"there are only {len(dataset)} samples; using all of them")
    few = dataset.subset(np.arange(min(count, len(dataset))))
    longer = max(recipe.size)
    made = overfit_recipe(recipe, len(few))
    rounds = count_from(1)

    def enough(measured: Measured) -> bool:
        error = measured.median_crop_error
        say(f"  step {next(rounds) * STEPS}: median error {error:.2f} px")
        return error <= NEAR_ZERO * longer

    loop = Loop(
        made,
        folder,
        few,
        few,
        device=device,
        repeat=STEPS,
        enough=enough,
        say=say,
    )
    # Epochs and the time to the end of the run mean nothing here.
    loop.display.enabled = False
    say(f"overfitting {plural(len(few), 'sample')} without augmentation, up to {ROUNDS * STEPS} steps")
    before = measure(loop.predictor(), few).median_crop_error
    outcome = loop.train()
    after = measure(loop.predictor(), few).median_crop_error
    steps = outcome.progress.updates
    moved = f"median error {before:.2f} -> {after:.2f} px in {longer} px crops"
    result = f"{moved}, {len(few)} samples, {steps} steps"
    if after <= NEAR_ZERO * longer:
        say(f"{result}: this set-up can learn")
        return 0
    diverged = not np.isfinite(after) or after > before / 2
    advice = "a lower --train.lr" if diverged else "more steps or a higher --train.lr"
    say(
        f"{result}: this set-up does NOT learn these samples; look at the labels (posekit data check), "
        f"then try {advice}"
    )
    return 1
