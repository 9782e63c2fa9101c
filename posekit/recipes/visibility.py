"""Visibility as an output, for any top-down recipe: whether a point is seen or hidden."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from posekit.codecs.visibility import VISIBILITY
from posekit.losses.classes import Bce
from posekit.recipe import Recipe, RecipeError
from posekit.validation import explain

WEIGHT = 0.1
"""Factor of the cross-entropy of visibility, beside the losses of the locations."""


def with_visibility(recipe: Recipe) -> Recipe:
    """The recipe with a cross-entropy between seen and hidden points, and with it the output that it trains.

    Args:
        recipe: returned as it is if it has that output.

    Raises:
        RecipeError: the recipe is for full images, or another loss has that name.
    """
    if recipe.visibility:
        return recipe
    if VISIBILITY in recipe.losses:
        raise RecipeError(f"{recipe.name} has a loss named {VISIBILITY!r} of another output: give it another name")
    try:
        return replace(recipe, losses={**recipe.losses, VISIBILITY: Bce(weight=WEIGHT, of=VISIBILITY)})
    except ValidationError as error:
        raise RecipeError(explain(error)) from None
