"""A task with a distill: the one place that training asks for distillation."""

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
    """The task with what its network learns beside the labels.

    Whatever comes back is called with a batch and gives named terms whose sum is to be minimised, and has a ``net``:
    the plain network of the recipe, which alone is averaged, saved and exported.

    Args:
        task: of the recipe; it stays inside, its own terms under their names.
        recipe: of the run.
        distill: what to learn from; ``None`` gives the task back.
        train: the set that is learnt from.
        steps: batches that the run will take.

    Raises:
        RecipeError: network and distill do not fit each other.
        WeightsError, DataError: there is no such teacher, or its points have other names.
    """
    if distill is None:
        return task
    if isinstance(distill, Okdhp):
        return with_peers(task, recipe, distill, steps)
    return with_teacher(task, recipe, distill, train)
