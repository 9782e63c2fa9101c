"""A named recipe as it suits a data set, where the user asked for nothing else; each change is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posekit.data.orientation import axis_agreement, lies_at_every_angle
from posekit.evaluation.measure import compared, mean_pose
from posekit.evaluation.sets import Sets
from posekit.recipe import Recipe

SATURATED = 0.6
"""A share of right points that the mean pose reaches must not be higher, or the figure tells good models from bad ones
no more."""
FINER = ("pck@0.05", "nme_box")
"""What ranks instead, the first that is not saturated."""


def suited(recipe: Recipe, sets: Sets) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with a ranking metric that is not saturated, and with full rotation where objects lie at every angle.

    Args:
        recipe: of these sets' points.
        sets: to learn from and to measure on.

    Returns:
        The recipe, and what was changed and why, in words.
    """
    sentences: list[str] = []
    if not recipe.one_stage and not recipe.metric:
        metric, why = unsaturated_metric(sets)
        if metric:
            recipe = replace(recipe, metric=metric)
            sentences.append(why)
    if not recipe.one_stage and lies_at_every_angle(sets.train):
        geometry = replace(recipe.augment.geometry, rotation=180.0, rotate_probability=1.0)
        recipe = replace(recipe, augment=replace(recipe.augment, geometry=geometry))
        sentences.append(
            "objects lie at every angle (their main axes agree by "
            f"{axis_agreement(sets.train)[0]:.2f}; 1 is all parallel): crops are turned fully; "
            "--augment.geometry.rotation 30 turns them less"
        )
    return recipe, tuple(sentences)


def unsaturated_metric(sets: Sets) -> tuple[str, str]:
    """A finer metric than the default where the mean pose nearly reaches its best value, and why; else empty."""
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), sets.val)
    if not measured.higher or not measured.value > SATURATED:
        return "", ""
    metric = next((name for name in FINER if not measured.figures[name] > SATURATED or name == FINER[-1]), FINER[-1])
    return metric, (
        f"ranked by {metric}: the mean pose, put into each box without looking, has {measured.main} "
        f"{measured.value:.2f} already"
    )
