"""Build the network of a recipe from a file: first without memory, since its sizes are untrusted."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from posekit.recipe import Recipe

LARGER = 4
"""A network with this many times the parameters of its file cannot be the saved one."""


def built(recipe: Recipe, tensors: Path) -> nn.Module:
    """Build the network of a recipe and check its size against the file of its tensors.

    Args:
        recipe: of the network.
        tensors: safetensors file; only its sizes are read.

    Raises:
        ValueError: parts of the recipe do not fit each other, or make a network far larger than the file.
        SafetensorError: the file is damaged.
    """
    try:
        with torch.device("meta"):
            size = _numbers(recipe.build(weights=False))
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"cannot be built ({type(error).__name__}: {first})") from None
    saved = _saved(tensors)
    if size > LARGER * saved + 1:
        raise ValueError(f"makes a network of {size} parameters, but {tensors.name} holds {saved}")
    return recipe.build(weights=False)


def _numbers(net: nn.Module) -> int:
    """Number of values in parameters and buffers, each counted once."""
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
