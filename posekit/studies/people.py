"""Synthetic people in small images, and networks of the recipes that learn them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from posekit.data.synthetic import Synthetic
from posekit.models.backbones.resnet import ResNet
from posekit.models.necks.upsample import Upsample
from posekit.recipe import Recipe, Train
from posekit.recipes.topdown import Form, topdown
from posekit.skeletons import SKELETONS
from posekit.studies.discs import SIDE, Draw, Learner

SKELETON = SKELETONS["lsp14"]
SMALL = Form((SIDE, SIDE), ResNet(depth=18, width=0.25), Upsample(), Train())
"""The network that all representations share, but for neck and head."""


def people(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of one person each, all points within the image.

    Returns:
        (count, 3, 64, 64) floating point in 0..255, and (count, K, 2) image pixels.
    """
    made = _made(count, seed)
    images = np.stack([made.image(number) for number in range(count)]).transpose(0, 3, 1, 2)
    xy = made.dataset().xy
    return torch.from_numpy(images).float(), torch.from_numpy(xy).float()


def outlines(count: int, seed: int) -> Tensor:
    """(count, 64, 64) bool, the pixels that are covered by the person of each image of `people`."""
    made = _made(count, seed)
    return torch.from_numpy(np.stack([made.mask(number) for number in range(count)]))


def _made(count: int, seed: int) -> Synthetic:
    return Synthetic(SKELETON, count, size=(SIDE, SIDE), seed=seed, outside=0.0)


def drawing(images: Tensor, xy: Tensor) -> Draw:
    """Random batches of given images."""

    def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (count,), generator=generator)
        return images[chosen], xy[chosen]

    return draw


def small_recipe(representation: str) -> Recipe:
    """A recipe of 64x64 images with the small network."""
    return topdown("study", SMALL, representation, SKELETON)


class PersonLearner(Learner):
    """The network, codec and losses of a recipe, built from a seed."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        nn.Module.__init__(self)
        self.codec = recipe.codec
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = recipe.build()  # type: ignore[assignment]
            self.losses = nn.ModuleDict({name: loss.build(recipe.skeleton) for name, loss in recipe.losses.items()})
