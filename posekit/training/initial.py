"""Initial weights of a run: random or pretrained as in the recipe, or those of another run (--init)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from posekit.recipe import Recipe
from posekit.zoo.errors import WeightsError
from posekit.zoo.weights import load_weights


def initial_net(recipe: Recipe, say: Callable[[str], None]) -> nn.Module:
    """The recipe's network, with the weights of `Recipe.init` loaded wherever names and shapes agree.

    Args:
        recipe: of the run; without `init` the network is only built.
        say: prints which tensors were loaded and which were not.

    Raises:
        WeightsError: there is no such model, or none of its parameters fits.
    """
    net = recipe.build()
    if recipe.init is None:
        return net
    # Later random numbers must not depend on the size of the other network.
    with torch.random.fork_rng(devices=[]):
        source = load_weights(recipe.init)
    own = net.state_dict()
    theirs = _renamed(source.net.state_dict(), own)
    fitting = {name: value for name, value in theirs.items() if name in own and value.shape == own[name].shape}
    if not any(name in fitting for name, _ in net.named_parameters()):
        raise WeightsError(
            f"{source.path}: none of its parameters fits this network (backbone {recipe.model.backbone.kind!r}, there "
            f"{source.recipe.model.backbone.kind!r}); start from a run of the same backbone, or leave out --init"
        )
    net.load_state_dict(fitting, strict=False)
    say(f"starts with {len(fitting)} of {len(own)} tensors from {source.path}")
    left = [
        f"{name} {tuple(value.shape)}" + (f" (there {tuple(theirs[name].shape)})" if name in theirs else "")
        for name, value in own.items()
        if name not in fitting
    ]
    unused = [name for name in theirs if name not in own]
    for told, names in (("not loaded, initial values kept", left), ("in the file but not used", unused)):
        if names:
            say(f"{told}: {_listing(names)}")
    return net


def _renamed(theirs: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the neck between top-down networks (``neck.``) and one-stage networks (``neck.neck.``) if needed."""
    for short, deep in (("neck.", "neck.neck."), ("neck.neck.", "neck.")):
        names = {name: name.replace(short, deep, 1) for name in theirs if name.startswith(short)}
        if names and all(new in own for new in names.values()):
            return {names.get(name, name): value for name, value in theirs.items()}
    return theirs


def _listing(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
