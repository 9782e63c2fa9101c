"""Adapt a named recipe to a data set; each change is reported."""

from __future__ import annotations

from collections.abc import Collection
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


PRETRAINED = ("train.lr", "train.backbone_lr_mult", "train.freeze")
"""Training options that are worth a comparison with a pretrained backbone."""


def suited(recipe: Recipe, sets: Sets, given: Collection[str] = ()) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe adapted to its data, in the fields that the user did not set.

    It gets a ranking metric that is not saturated, and full rotation where objects lie at every angle. With a backbone
    that is pretrained on ImageNet a note names the training options to compare: they helped on some data only.

    Args:
        recipe: for the points of these sets, with the fields that the user set.
        sets: training and validation data.
        given: dotted names of the fields that the user set, such as ``train.lr``.

    Returns:
        The recipe, and notes: each change with its reason.
    """
    sentences: list[str] = []
    if not recipe.one_stage and not recipe.metric:
        metric, why = unsaturated_metric(sets)
        if metric:
            recipe = replace(recipe, metric=metric)
            sentences.append(why)
    turned = {"augment.geometry.rotation", "augment.geometry.rotate_probability"} & set(given)
    if not recipe.one_stage and not turned and lies_at_every_angle(sets.train):
        geometry = replace(recipe.augment.geometry, rotation=180.0, rotate_probability=1.0)
        recipe = replace(recipe, augment=replace(recipe.augment, geometry=geometry))
        sentences.append(
            "objects lie at every angle (their main axes agree by "
            f"{axis_agreement(sets.train)[0]:.2f}; 1 is all parallel): full random rotation; "
            "--augment.geometry.rotation 30 for less"
        )
    if from_imagenet(recipe) and not recipe.one_stage and not set(PRETRAINED) & set(given):
        sentences.append(
            "backbone pretrained on ImageNet: the recipe trains all of it with the learning rate of the head; compare "
            "with --train.backbone-lr-mult 0.33, a higher --train.lr, and --train.freeze (docs/training.md)"
        )
    return recipe, tuple(sentences)


def from_imagenet(recipe: Recipe) -> bool:
    """Whether the backbone starts from ImageNet's weights."""
    backbone = recipe.model.backbone
    return backbone.weights == "imagenet" or bool(getattr(backbone, "pretrained", False))


def unsaturated_metric(sets: Sets) -> tuple[str, str]:
    """A finer metric than the default if the mean pose saturates that, and the reason; else empty."""
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), sets.val)
    if not measured.higher or not measured.value > SATURATED:
        return "", ""
    metric = next((name for name in FINER if not measured.figures[name] > SATURATED or name == FINER[-1]), FINER[-1])
    return metric, (
        f"a constant guess, the mean pose in each box, already reaches {measured.value:.2f} of {measured.main}, so the "
        f"best epoch is chosen by {metric}; --metric {measured.main} for the other"
    )
