"""The share of a training step that each representation takes: targets, activation and losses.

A step of ResNet-18 on eight crops of 256x192, with the neck, head, codec and losses of the plain recipe. The codec's
part is encoding, activation, losses, and backward to the raw maps; the network's part is forward, backward from the
raw maps, and AdamW. Representations with the same network share its measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch

from posekit.models.backbones.resnet import ResNet
from posekit.recipe import Recipe
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, topdown
from posekit.skeletons.body import COCO17
from posekit.studies.codecs import inner_points
from posekit.studies.timing import aim, alternating, cpu_ms

BATCH = 8
MOST = 0.05
"""Target: the largest share of a step."""


def recipe_of(name: str) -> Recipe:
    """The plain recipe with a smaller backbone, which makes the codec's share larger."""
    recipe = topdown("bench", PLAIN, name, COCO17)
    return replace(recipe, model=replace(recipe.model, backbone=ResNet(depth=18)))


def own_part(recipe: Recipe) -> Callable[[], None]:
    """Encode, activate, losses, and backward to the raw maps."""
    codec, labels = recipe.codec, inner_points(recipe.codec, BATCH)
    losses = [loss.build(recipe.skeleton) for loss in recipe.losses.values()]
    noise = torch.Generator().manual_seed(0)
    maps = {name: torch.randn(BATCH, *shape, generator=noise).requires_grad_() for name, shape in codec.shapes.items()}

    def step() -> None:
        target, output = codec.encode(labels), codec.activate(maps)
        terms = [term for loss in losses for term in loss(output, target).values()]
        torch.stack(terms).sum().backward()
        for value in maps.values():
            value.grad = None

    return step


def network_part(recipe: Recipe) -> Callable[[], None]:
    """Forward, backward from the raw maps, and the optimiser's step."""
    net = recipe.build(weights=False).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    image = torch.zeros(BATCH, 3, *recipe.size, dtype=torch.uint8).to(memory_format=torch.channels_last)

    def step() -> None:
        maps = list(net(image).values())
        torch.autograd.backward(maps, [torch.ones_like(value) for value in maps])
        optimiser.step()
        optimiser.zero_grad()

    return step


def shares(rounds: int) -> dict[str, dict[str, Any]]:
    """For every representation: median milliseconds of both parts, the codec's share and its target."""
    clocks: dict[str, Callable[[], float]] = {}
    networks: dict[str, str] = {}
    for name in REPRESENTATIONS:
        recipe = recipe_of(name)
        clocks[f"own {name}"] = partial(cpu_ms, own_part(recipe))
        networks[name] = f"network {sorted(recipe.codec.shapes.items())} {recipe.model.neck} {recipe.model.head}"
        if networks[name] not in clocks:
            clocks[networks[name]] = partial(cpu_ms, network_part(recipe))
    times = alternating(clocks, rounds, warm=1)
    result = {}
    for name in REPRESENTATIONS:
        own, network = times[f"own {name}"], times[networks[name]]
        share = median(a / (a + b) for a, b in zip(own, network, strict=True))
        result[name] = {
            "own_ms": round(median(own), 3),
            "network_ms": round(median(network), 3),
            "share": aim(share, most=MOST),
        }
    return result
