"""The network of a recipe that was read from a file, built without memory first: its numbers may be of any size."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from posekit.recipe import Recipe

LARGER = 4
"""A network of so many times the numbers in its file is not the one that they were saved from."""


def built(recipe: Recipe, tensors: Path) -> nn.Module:
    """Build the network of a recipe whose tensors lie in a file.

    Args:
        recipe: of the network.
        tensors: safetensors file, which is not read but for its sizes.

    Raises:
        ValueError: parts of the recipe do not fit each other, or make a network far larger than the file.
        SafetensorError: the file is damaged.
    """
    try:
        with torch.device("meta"):
            size = _numbers(recipe.build(weights=False))
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"makes no network ({type(error).__name__}: {first})") from None
    saved = _saved(tensors)
    if size > LARGER * saved + 1:
        raise ValueError(f"makes a network of {size} numbers, but {tensors.name} holds {saved}")
    return recipe.build(weights=False)


def _numbers(net: nn.Module) -> int:
    """Numbers in parameters and buffers, each once."""
    return sum(tensor.numel() for tensor in (*net.parameters(), *net.buffers()))


def _saved(tensors: Path) -> int:
    with safe_open(tensors, framework="pt") as file:
        total = 0
        for name in file.keys():
            count = 1
            for side in file.get_slice(name).get_shape():
                count *= side
            total += count
    return total
