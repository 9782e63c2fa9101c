"""Add the distillation of a recipe to a task."""

from __future__ import annotations

from posekit.data.dataset import Dataset
from posekit.losses.distillation import AnyDistillation, Okdhp
from posekit.recipe import Recipe
from posekit.training.distillation.okdhp import OkdhpTask, with_peers
from posekit.training.distillation.student import StudentTask, with_teacher
from posekit.training.task import Task


def wrap(
    task: Task, recipe: Recipe, distill: AnyDistillation | None, train: Dataset, steps: int
) -> Task | OkdhpTask | StudentTask:
    """Add distillation to a task.

    The result takes a batch and returns named loss terms whose sum is minimised; its ``net`` is the plain network of
    the recipe, which alone is averaged, saved and exported.

    Args:
        task: of the recipe; its loss terms keep their names.
        recipe: of the run.
        distill: config of the distillation; ``None`` returns the task unchanged.
        train: training set.
        steps: steps of the whole run.

    Raises:
        RecipeError: network and distillation do not fit.
        WeightsError, DataError: there is no such teacher, or its points have other names.
    """
    if distill is None:
        return task
    if isinstance(distill, Okdhp):
        return with_peers(task, recipe, distill, steps)
    return with_teacher(task, recipe, distill, train)
