"""Training task: the network, its codec and its losses as one module."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import torch
from torch import Tensor, nn

from posekit.codecs.base import Maps, PerInstance, Target
from posekit.data.batch import Batch
from posekit.models.base import PoseNet
from posekit.recipe import Recipe
from posekit.training.freeze import frozen_parts


class Task(nn.Module):
    """From images and labels to loss terms.

    The module that accelerate and the optimiser get, since losses may have parameters too. ``net`` alone is averaged,
    saved and exported.
    """

    def __init__(self, recipe: Recipe, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self._frozen = tuple(frozen_parts(net, recipe.train.freeze))
        self.codec = recipe.full_codec
        self.losses = nn.ModuleDict({name: loss.build(recipe.skeleton) for name, loss in recipe.losses.items()})
        self.auto_weight = recipe.auto_weight.build(recipe.losses)

    def train(self, mode: bool = True) -> Task:
        """Training mode for all but the frozen parts, whose norms keep their running statistics."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms by name, already multiplied by their weights; their sum is minimised."""
        maps = self.net(batch.image)
        with exact(batch):
            return self.weighed(self.terms(maps, self.codec.encode(batch.instances)))

    def terms(self, maps: Maps, target: Target) -> dict[str, Tensor]:
        """Loss terms for the network's raw maps, before learned weights."""
        maps = {name: value.float() for name, value in maps.items()}
        if isinstance(self.codec, PerInstance):
            maps |= cast(PoseNet, self.net).at(maps, self.codec.sampled(target))
        output = self.codec.activate(maps)
        terms: dict[str, Tensor] = {}
        for name, loss in self.losses.items():
            found = loss(output, target)
            alone = len(found) == 1
            terms |= {(name if alone or key == name else f"{name}.{key}"): value for key, value in found.items()}
        return terms

    def weighed(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms with learned weights, if the recipe has them."""
        return terms if self.auto_weight is None else self.auto_weight(terms)


def exact(batch: Batch) -> AbstractContextManager[None]:
    """Full precision for targets, flows and logs, whatever the network ran in."""
    return torch.autocast(batch.image.device.type, enabled=False)
