"""A task with everything that a recipe puts around it while training."""

from __future__ import annotations

from torch import nn

from posekit.data.dataset import Dataset
from posekit.recipe import Recipe
from posekit.training.distillation.wrap import wrap as with_distillation
from posekit.training.netaug import wrap as with_wider
from posekit.training.task import Task


def wrap_task(task: Task, recipe: Recipe, train: Dataset, steps: int) -> nn.Module:
    """The task, with distillation and wider networks where the recipe asks for them.

    Args:
        task: of the recipe.
        recipe: of the run.
        train: the set that is learnt from.
        steps: batches that the run will take.

    Returns:
        A module that is called with a batch and gives named terms whose sum is to be minimised; its ``net`` is the
        plain network of the recipe, which alone is averaged, saved and exported.

    Raises:
        RecipeError: network and technique do not fit each other.
        WeightsError, DataError: there is no such teacher, or its points have other names.
    """
    return with_wider(with_distillation(task, recipe, recipe.distill, train, steps), recipe.netaug, steps)
