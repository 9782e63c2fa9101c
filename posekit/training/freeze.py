"""Frozen parts of a network: what a published backbone knows already, at half the cost of a step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import nn

from posekit.recipe import RecipeError


def frozen_parts(net: nn.Module, names: Iterable[str]) -> list[nn.Module]:
    """Stop the gradients of some parts.

    A part must also stay in evaluation mode, or its norms would go on following the data: that is up to the caller.

    Args:
        net: its parameters are changed.
        names: of modules, as in ``backbone.blocks.0``.

    Returns:
        The parts.

    Raises:
        RecipeError: there is no such part, or none is left to train.
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
