"""Add distillation and network augmentation to a task."""

from __future__ import annotations

from torch import nn

from posekit.data.dataset import Dataset
from posekit.recipe import Recipe
from posekit.training.distillation.wrap import wrap as with_distillation
from posekit.training.netaug import wrap as with_wider
from posekit.training.task import Task


def wrap_task(task: Task, recipe: Recipe, train: Dataset, steps: int) -> nn.Module:
    """Add distillation and network augmentation to a task, if the recipe has them.

    Args:
        task: of the recipe.
        recipe: of the run.
        train: training set.
        steps: steps of the whole run.

    Returns:
        A module that takes a batch and returns named loss terms whose sum is minimised; its ``net`` is the plain
        network of the recipe, which alone is averaged, saved and exported.

    Raises:
        RecipeError: network and technique do not fit.
        WeightsError, DataError: there is no such teacher, or its points have other names.
    """
    return with_wider(with_distillation(task, recipe, recipe.distill, train, steps), recipe.netaug, steps)
