"""Memory of a training step: what autograd keeps for the backward pass, and what the network outputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from posekit.recipe import Recipe
from posekit.studies.deep_people import deep_labels

BATCH = 2
"""Images of the step that is measured."""
BYTES = 4
"""Of a float32."""


def output_bytes(recipe: Recipe) -> int:
    """Bytes of the raw output maps of one image."""
    return BYTES * sum(math.prod(shape) for shape in recipe.codec.shapes.values())


def kept_bytes(recipe: Recipe, *, flat: bool) -> float:
    """Bytes for one image that autograd keeps between the forward and the backward pass, losses included.

    Each storage counts once, and parameters and the labels are left out.

    Args:
        recipe: of the network, built with random weights.
        flat: the labels have no depths.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = recipe.build(weights=False)
        losses = nn.ModuleList(loss.build(recipe.skeleton) for loss in recipe.losses.values())
        image = torch.rand(BATCH, 3, *recipe.size)
        points = torch.rand(BATCH, len(recipe.skeleton.points), 3) * torch.tensor((*recipe.size[::-1], 1.0))
    given = deep_labels(points, torch.full((BATCH,), not flat))
    target = recipe.codec.encode(given)
    fixed = [*net.parameters(), *net.buffers(), *losses.parameters(), *losses.buffers(), image]
    fixed += [*target.maps.values(), *target.weight.values()]
    outside = {tensor.untyped_storage().data_ptr() for tensor in fixed}
    kept: dict[int, int] = {}
    # Held until the end, so that no storage takes the address of one that has been freed.
    held: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in outside:
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = recipe.codec.activate(net.train()(image))
        terms = [term for loss in losses for term in loss(output, target).values()]
        torch.stack(terms).sum()
    return sum(kept.values()) / BATCH
