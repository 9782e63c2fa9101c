"""Whether the labels hold what a recipe with visibility learns from: seen and hidden points."""

from __future__ import annotations

from collections.abc import Iterator

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.evaluation.sets import Sets
from posekit.geometry.keypoints import HIDDEN, SEEN
from posekit.recipe import Recipe


def check_visibility(recipe: Recipe, sets: Sets) -> tuple[str, ...]:
    """Check that the training set has seen and hidden points; the reasons why validation cannot measure it.

    Args:
        recipe: of the run; without visibility nothing is checked.
        sets: training and validation set.

    Returns:
        Warnings, at most one.

    Raises:
        DataError: the labels of the training set are of one kind, so that only a constant could be learnt.
    """
    if not recipe.visibility:
        return ()
    for missing, there in _missing(sets.train):
        raise DataError(
            f"{sets.train.file or 'the training data'}: --visibility learns from seen points (visibility {SEEN}) and "
            f"hidden ones (visibility {HIDDEN}), and of {there} labelled points none is {missing}: label both, or "
            "leave out --visibility"
        )
    return tuple(
        f"warning: of {there} labelled points in the validation data none is {missing}, so auc_visible is not measured"
        for missing, there in _missing(sets.val)
    )


def _missing(dataset: Dataset) -> Iterator[tuple[str, int]]:
    """The kind of points that a set lacks, and the number of its labelled points."""
    visibility = dataset.visibility[dataset.rows]
    labelled = int((visibility > 0).sum())
    for name, value in (("hidden", HIDDEN), ("seen", SEEN)):
        if not (visibility == value).any():
            yield name, labelled
            return
