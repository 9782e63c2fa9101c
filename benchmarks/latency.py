"""Inference time of each representation: network and decoding of one image, interleaved, on one thread.

    python -m benchmarks.latency mtfl5|helen|lspe [--rounds N] [--backbone NAME] [--name NAME]

The networks are those of `benchmarks.ladder`, untrained; weights do not change the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.ladder import EVERY, SETUPS, root
from benchmarks.record import write
from posekit.data.readers import read
from posekit.geometry.skeleton import Skeleton
from posekit.models.compress.count import measure
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.studies.timing import interleaved, summary


def skeleton_of(data: str) -> Skeleton:
    """The skeleton of a ladder's data set."""
    return read(root() / SETUPS[data].val).skeleton


def user(recipe: Recipe) -> Callable[[], Any]:
    """A call that predicts the points of one image."""
    net = recipe.build().eval().to(memory_format=torch.channels_last)
    image = torch.randint(0, 256, (1, 3, *recipe.size), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)

    def call() -> Any:
        with torch.inference_mode():
            return recipe.codec.decode(net(image))

    return call


def main() -> None:
    """Time all and write ``latency_DATA.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETUPS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--backbone", help="another backbone than the recipes' own")
    parser.add_argument("--name", help="of the result file; default latency_DATA")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    skeleton, size = skeleton_of(asked.data), SETUPS[asked.data].size
    recipes = {name: RECIPES[f"{name}-tiny"](skeleton, size=size, backbone=asked.backbone) for name in EVERY}
    times = summary(interleaved({name: user(recipe) for name, recipe in recipes.items()}, asked.rounds))
    costs = {}
    for name, recipe in recipes.items():
        parts = measure(recipe.build(weights=False), recipe.size)
        own = [parts[part] for part in ("neck", "head") if part in parts]
        costs[name] = {
            **times[name],
            "head_macs": sum(cost.macs for cost in own),
            "macs": parts["total"].macs,
            "parameters": parts["total"].parameters,
        }
    name = asked.name or f"latency_{asked.data}"
    print(f"in {write(name, {'methods': costs}, data=asked.data, size=size)}")


if __name__ == "__main__":
    main()
