"""Freeze parts of a network, such as a pretrained backbone, which halves the cost of a step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import nn

from posekit.recipe import RecipeError


def frozen_parts(net: nn.Module, names: Iterable[str]) -> list[nn.Module]:
    """Disable the gradients of some parts.

    The caller must also keep the parts in evaluation mode, or norms would update their running statistics.

    Args:
        net: changed: frozen parameters no longer require gradients.
        names: names of modules, such as ``backbone.blocks.0``.

    Returns:
        The frozen modules.

    Raises:
        RecipeError: there is no such part, or nothing is left to train.
    """
    modules = dict(net.named_modules())
    parts = []
    for name in names:
        if name not in modules or not name:
            near = difflib.get_close_matches(name, modules, 3)
            known = near or [
                f"{top}.{child}" for top, part in net.named_children() for child, _ in part.named_children()
            ]
            raise RecipeError(f"train.freeze: the network has no part {name!r}; there is {', '.join(known[:12])}")
        parts.append(modules[name].requires_grad_(False))
    if not any(p.requires_grad for p in net.parameters()):
        raise RecipeError("train.freeze: nothing is left to train; name fewer parts")
    return parts
