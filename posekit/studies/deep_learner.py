"""Networks that learn points with depths, and batches in which only some images have them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from posekit.codecs.base import Maps
from posekit.codecs.regression import Regression
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.losses.heatmaps import Volume
from posekit.recipe import Recipe
from posekit.studies.deep_people import DeepPeople, deep_labels
from posekit.studies.discs import Draw
from posekit.studies.people import PersonLearner, small_recipe

COMPARED = {
    "regression": "regression3d",
    "integral": "integral3d",
    "volume": "heatmap3d",
    "unweighted volume": "heatmap3d",
}
"""Names to representations; in the unweighted volume the loss that tells depths has the weight of the other one."""
TRAININGS = ("3-D alone", "mixed", "all with depth")
"""The few images with depths; half of each batch from these and half from many without; all of both, with depths."""
RANGE = 1100.0
"""Depth range of the codecs, millimetres: nearly all points lie within."""


def deep_recipe(name: str) -> Recipe:
    """The small recipe of a name in `COMPARED`, with the study's depth range."""
    made = small_recipe(COMPARED[name])
    assert isinstance(made.codec, Regression | Integral3d | Heatmap3d)
    weights = {"volume": Volume(weight=1.0)} if name.startswith("unweighted") else {}
    return replace(made, codec=replace(made.codec, depth=RANGE), losses={**made.losses, **weights})


class DeepLearner(PersonLearner):
    """A learner of points with depths: the labels are (B, K, 4), x, y, depth, and 1 where the depth is known."""

    def loss_of(self, maps: Maps, xy: Tensor) -> Tensor:
        """Sum of the loss terms of raw maps."""
        target = self.codec.encode(deep_labels(xy[..., :3], xy[:, 0, 3] > 0))
        output = self.codec.activate(maps)
        terms = [term for loss in self.losses.values() for term in loss(output, target).values()]
        return torch.stack(terms).sum()

    @torch.no_grad()
    def solid(self, image: Tensor) -> Tensor:
        """(B, K, 3) decoded points: pixels and millimetres, in evaluation mode."""
        mode = self.training
        self.eval()
        poses = self.codec.decode(self.net(image))
        self.train(mode)
        assert poses.depth is not None
        return torch.cat((poses.xy[:, 0], poses.depth[:, 0, :, None]), -1)


def batches(training: str, deep: DeepPeople, flat: DeepPeople) -> Draw:
    """Random batches of one of `TRAININGS`."""
    few, many = len(deep.images), len(flat.images)
    images = torch.cat((deep.images, flat.images))
    points = torch.cat((deep.points, flat.points))
    known = torch.ones(few + many) if training == "all with depth" else (torch.arange(few + many) < few).float()
    labelled = torch.cat((points, known[:, None, None].expand(-1, points.shape[1], 1)), -1)

    def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        first = torch.randint(few, (count,), generator=generator)
        second = few + torch.randint(many, (count,), generator=generator)
        every = torch.randint(few + many, (count,), generator=generator)
        half = torch.arange(count) % 2 == 0
        chosen = {"3-D alone": first, "mixed": torch.where(half, first, second), "all with depth": every}[training]
        return images[chosen], labelled[chosen]

    return draw
