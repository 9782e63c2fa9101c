"""Initial weights of a run: random or pretrained as in the recipe, or those of another run (--init)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from posekit.models.compress.quantise import ROUNDING
from posekit.models.rewrite.balance import balance
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.recipe import Recipe
from posekit.training.initial_units import in_own_units, last_layers
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import backbone_model
from posekit.zoo.layout import TENSORS
from posekit.zoo.weights import load_weights, read_recipe


def initial_net(recipe: Recipe, say: Callable[[str], None], *, balanced: bool = True) -> nn.Module:
    """The recipe's network, with the weights of `Recipe.init` loaded wherever names and shapes agree.

    Heads that give lengths are converted to the unit of the recipe's codec; see `in_own_units`.

    Args:
        recipe: of the run; without `init` the network is only built.
        say: prints which tensors were loaded and which were not.
        balanced: bring layers with folded norms to one scale, which changes no output; see `balance`. Without it the
            first steps of a training destroy MoveNet's pyramid.

    Raises:
        WeightsError: there is no such model, or none of its parameters fits.
    """
    if recipe.init is None:
        return pretrained(recipe).build()
    # Later random numbers must not depend on the size of the other network.
    with torch.random.fork_rng(devices=[]):
        source = load_weights(recipe.init)
    # Several kernels, or an activation with parameters, start from the weights of the layers that they replace.
    later = _changes_layers(recipe, source.recipe)
    net = pretrained(replace(recipe, override=BackboneOverrides()) if later else recipe).build()
    own = net.state_dict()
    converted = in_own_units(own, _renamed(source.net.state_dict(), own), recipe, source.recipe)
    theirs = {n: value for n, value in converted.tensors.items() if recipe.init_head or not n.startswith("head.")}
    fitting = {name: value for name, value in theirs.items() if name in own and value.shape == own[name].shape}
    pairs = _same_points(recipe, source.recipe)
    by_point = _rows(own, theirs, recipe, source.recipe, pairs) if recipe.init_head else {}
    fitting |= by_point
    if not any(name in fitting for name, _ in net.named_parameters()):
        raise WeightsError(
            f"{source.path}: none of its parameters fits this network (backbone {recipe.model.backbone.kind!r}, there "
            f"{source.recipe.model.backbone.kind!r}); start from a run of the same backbone, or leave out --init"
        )
    net.load_state_dict(fitting, strict=False)
    links = balance(net) if balanced else 0
    say(f"starts with {len(fitting)} of {len(own)} tensors from {source.path}")
    for sentence in converted.said:
        say(sentence)
    if later:
        net = recipe.override.apply(net, trained=True)
        say("the backbone's layers are then replaced as --override asks, starting from these weights")
    if links:
        say(f"the weights on both sides of {links} links between layers brought to one scale; no output changes")
    if by_point:
        names = [recipe.skeleton.points[i] for i in pairs]
        say(
            f"of these, {len(by_point)} of the head by the names of the points: {len(names)} of "
            f"{len(recipe.skeleton.points)} points start from the same point there ({_listing(names)})"
        )
    left = [
        f"{name} {tuple(value.shape)}" + (f" (there {tuple(theirs[name].shape)})" if name in theirs else "")
        for name, value in own.items()
        if name not in fitting and not name.endswith(f".{ROUNDING}.range")  # found while training
    ]
    unused = [name for name in theirs if name not in own]
    for told, names in (("not loaded, initial values kept", left), ("in the file but not used", unused)):
        if names:
            say(f"{told}: {_listing(names)}")
    return net


def _changes_layers(recipe: Recipe, source: Recipe) -> bool:
    """Whether a recipe replaces layers that its initial model has as they were; pruned and rounded layers stay."""
    plain = BackboneOverrides()
    return recipe.override != plain and source.override == plain and recipe.quantise.off and not recipe.pruned


def pretrained(recipe: Recipe) -> Recipe:
    """The recipe with the file of tensors for the weights of its backbone, where these name a model.

    Raises:
        WeightsError: the model is not here, or has another backbone.
    """
    folder = backbone_model(recipe.model.backbone.weights)
    if folder is None:
        return recipe
    own = recipe.model.backbone
    theirs = read_recipe(folder).model.backbone
    if theirs.kind != own.kind:
        raise WeightsError(
            f"--model.backbone.weights {own.weights}: its backbone is {theirs.kind!r}, that of this run {own.kind!r}; "
            "leave out --backbone, --init and other options of --model.backbone, so that its backbone is taken"
        )
    return replace(recipe, model=replace(recipe.model, backbone=replace(own, weights=str(folder / TENSORS))))


def _same_points(recipe: Recipe, source: Recipe) -> dict[int, int]:
    """Index of each point that starts from a point of the source, and the index of that: by name, or by `init_points`.

    Raises:
        WeightsError: `init_points` is not OWN=THEIRS, or names a point that is not there.
    """
    own, theirs = recipe.skeleton.points, source.skeleton.points
    wanted = {name: name for name in own if name in theirs}
    for text in recipe.init_points:
        mine, equals, other = text.partition("=")
        if not equals or mine not in own or other not in theirs:
            raise WeightsError(
                f"init_points {text!r}: expected OWN=THEIRS, with OWN among {', '.join(own)} and THEIRS among "
                f"{', '.join(theirs)}"
            )
        wanted[mine] = other
    return {own.index(mine): theirs.index(other) for mine, other in wanted.items()}


def _rows(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], recipe: Recipe, source: Recipe, pairs: Mapping[int, int]
) -> dict[str, Tensor]:
    """Tensors of the head with the rows of shared points copied; other rows keep their initial values.

    Only last layers of maps with the same number of channels for each point, such as heatmaps and offsets; empty where
    all points are the same in the same order, since then whole tensors fit.
    """
    if recipe.skeleton.points == source.skeleton.points and not recipe.init_points:
        return {}
    mine, other = len(recipe.skeleton.points), len(source.skeleton.points)
    rows = {}
    shapes = recipe.full_codec.shapes
    layers = last_layers(own, shapes)
    for name, value in own.items():
        there = theirs.get(name)
        kind = layers.get(name.rpartition(".")[0])
        outputs = shapes[kind][0] if kind else 0
        if there is None or value.ndim == 0 or value.shape[0] != outputs or value.shape[1:] != there.shape[1:]:
            continue
        each = value.shape[0] // mine
        if each * mine != value.shape[0] or each * other != there.shape[0]:
            continue
        copied = value.clone().unflatten(0, (mine, each))
        if pairs:
            copied[list(pairs)] = there.to(value.dtype).unflatten(0, (other, each))[list(pairs.values())]
        rows[name] = copied.flatten(0, 1)
    return rows


def _renamed(theirs: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the neck between top-down networks (``neck.``) and one-stage networks (``neck.neck.``) if needed."""
    for short, deep in (("neck.", "neck.neck."), ("neck.neck.", "neck.")):
        names = {name: name.replace(short, deep, 1) for name in theirs if name.startswith(short)}
        if names and all(new in own for new in names.values()):
            return {names.get(name, name): value for name, value in theirs.items()}
    return theirs


def _listing(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
