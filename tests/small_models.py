"""Small networks with drawn weights, one for each representation and each one-stage system, and their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from figures import FOUR
from torch import nn

from posekit.geometry.skeleton import Skeleton
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.recipes.topdown import TINY, topdown
from posekit.zoo.weights import save_weights

ONE_STAGE = "one-stage "
"""Before the names of systems, since some are those of representations as well."""


def small_recipe(
    kind: str, size: tuple[int, int] = (64, 96), backbone: str | None = "mobilenet_v3", skeleton: Skeleton = FOUR
) -> Recipe:
    """The recipe of a small model.

    Args:
        kind: a representation; or a one-stage system, with the prefix `ONE_STAGE`.
        size: (height, width).
        backbone: ``None``: the recipe's own.
        skeleton: of the points.
    """
    if kind.startswith(ONE_STAGE):
        return RECIPES[f"{kind.removeprefix(ONE_STAGE)}-tiny"](skeleton, size=size, backbone=backbone)
    return topdown("small", TINY, kind, skeleton, size=size, backbone=backbone)


def small_model(kind: str, **options: Any) -> tuple[Recipe, nn.Module]:
    """Recipe and network, in evaluation mode; see `small_recipe`."""
    torch.manual_seed(0)
    recipe = small_recipe(kind, **options)
    net = recipe.build().eval()
    if recipe.one_stage:
        # Heads start so small that all cells are alike, and which is best would be a matter of rounding.
        with torch.no_grad():
            for weight in net.head.parameters():
                weight.add_(0.05 * torch.randn_like(weight) * (weight.ndim == 4))
    return recipe, net


def small_folder(folder: Path, kind: str, **options: Any) -> Path:
    """A weights folder of a small model."""
    recipe, net = small_model(kind, **options)
    save_weights(folder, net, recipe, {"pck@0.2": 0.5})
    return folder
