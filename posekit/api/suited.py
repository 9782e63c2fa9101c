"""Adapt a named recipe to a data set; each change is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posekit.data.orientation import axis_agreement, lies_at_every_angle
from posekit.evaluation.measure import compared, mean_pose
from posekit.evaluation.sets import Sets
from posekit.recipe import Recipe

SATURATED = 0.6
"""If the mean pose scores higher than this, the metric is saturated and no longer separates good from bad models."""
FINER = ("pck@0.05", "nme_box")
"""Finer metrics to use instead: the first that is not saturated."""


def suited(recipe: Recipe, sets: Sets) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with a ranking metric that is not saturated, and with full rotation where objects lie at every angle.

    Args:
        recipe: for the points of these sets.
        sets: training and validation data.

    Returns:
        The recipe, and a note on each change with its reason.
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
            f"{axis_agreement(sets.train)[0]:.2f}; 1 is all parallel): full random rotation; "
            "--augment.geometry.rotation 30 for less"
        )
    return recipe, tuple(sentences)


def unsaturated_metric(sets: Sets) -> tuple[str, str]:
    """A finer metric than the default if the mean pose saturates that, and the reason; else empty."""
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), sets.val)
    if not measured.higher or not measured.value > SATURATED:
        return "", ""
    metric = next((name for name in FINER if not measured.figures[name] > SATURATED or name == FINER[-1]), FINER[-1])
    return metric, (
        f"ranked by {metric}: {measured.main} is saturated, since the mean pose placed into each box "
        f"reaches {measured.value:.2f}"
    )
