"""Small networks with drawn weights, one for each representation and each one-stage system, and their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from figures import FOUR
from torch import nn

from posekit.geometry.skeleton import Skeleton
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.spatial import SpatialBlock
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
        draw_head(net.head)
    return recipe, net


def draw_head(head: nn.Module) -> None:
    """Random weights for a one-stage head, which starts so small that all cells have equal values."""
    for part in head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.02)
    if "size" in (branches := dict(getattr(head, "branches", {}))):
        # Boxes of some cells: MoveNet reads points inside them alone.
        nn.init.constant_(branches["size"][-1].bias, 12.0)
    for block in head.modules():
        if isinstance(block, AdaptiveBlock):
            nn.init.normal_(block.transform.weight, std=0.1)
        if isinstance(block, SpatialBlock):
            nn.init.normal_(block.transform1.weight, std=0.1)
            nn.init.normal_(block.transform2.weight, std=0.1)


def small_folder(folder: Path, kind: str, **options: Any) -> Path:
    """A weights folder of a small model."""
    recipe, net = small_model(kind, **options)
    save_weights(folder, net, recipe, {"pck@0.2": 0.5})
    return folder


class Cells(nn.Module):
    """Maps of a codec by one convolution without overlap, so that cells of equal content are exactly equal."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        height, width = codec.image
        self.layers = nn.ModuleDict(
            {
                name: nn.Conv2d(3, channels, (height // rows, width // columns), (height // rows, width // columns))
                for name, (channels, rows, columns) in codec.shapes.items()
            }
        )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        values = image.float() / 255 - 0.5
        return {name: layer(values) for name, layer in self.layers.items()}
