"""Heads of another network in the units of one's own: lengths rescaled, boxes from sizes, and no logits as a map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from posekit.recipe import Recipe

Units = Mapping[str, tuple[float, float]]
"""Pixels that an output of 1 stands for, along x and y, by map."""
HEATMAP = "heatmap"
"""Name of the map that a codec's ``activation`` is of."""


def last_layers(names: Iterable[str], maps: Iterable[str]) -> dict[str, str]:
    """The layer that gives each map of a head, and the map.

    Args:
        names: of a network's tensors, in its order.
        maps: names of the head's maps; a branch has the name of its map.

    Returns:
        Name of the layer, without ``.weight``, to name of the map.
    """
    kinds, found = set(maps), {}
    for name in names:
        words = name.split(".")
        at = next((n for n, word in enumerate(words[:-1]) if n and word in kinds), None)
        if at is not None:
            found[".".join(words[: at + 1])] = ".".join(words[:-1]), words[at]
    return dict(found.values())


@dataclass(frozen=True, eq=False)
class Converted:
    """Tensors of another network for one's own, and what was done to them.

    Args:
        tensors: by name.
        said: sentences on what was converted.
    """

    tensors: dict[str, Tensor]
    said: tuple[str, ...]


def in_own_units(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], recipe: Recipe, source: Recipe) -> Converted:
    """Convert the heads of another network so that equal weights mean equal lengths in pixels.

    Codecs differ in the pixels that an output of 1 stands for (``units``), so a layer that fits by name and shape may
    still mean something else. Where one of two heatmaps is given as logits (``activation``) and the other as it is, the
    layer that gives it is left out: as a map, logits of -7 are a large error everywhere. A branch for boxes also starts
    from one for sizes: each side lies half a size away from the cell. Differs from what the other network says by its
    ``centre_offset``, less than a cell.

    Args:
        own: tensors of one's own network.
        theirs: tensors of the other.
        recipe: of one's own network.
        source: of the other.
    """
    mine: Units = getattr(recipe.codec, "units", {})
    other: Units = dict(getattr(source.codec, "units", {}))
    tensors, said = dict(theirs), []
    missing = "box" in mine and "size" in other and "box" not in other
    if missing and (boxes := _box_from_size(own, theirs)):
        tensors |= boxes
        other = {**other, "box": other["size"]}
        said.append("box starts from size: each side half of it away")
    ratios = {
        name: (other[name][0] / unit[0], other[name][1] / unit[1]) for name, unit in mine.items() if name in other
    }
    changed = [name for name, ratio in ratios.items() if ratio != (1.0, 1.0)]
    loaded = set()
    for layer, name in last_layers(tensors, changed).items():
        # Where one's own network has another head, nothing is taken over.
        for tensor in {f"{layer}.weight", f"{layer}.bias"} & set(tensors) & set(own):
            tensors[tensor] = _scaled(tensors[tensor], ratios[name])
            loaded.add(name)
    told = [f"{name} {other[name][0]:g} to {mine[name][0]:g}" for name in changed if name in loaded]
    if told:
        said.append(f"rescaled for another unit in pixels: {', '.join(told)}")
    if (both := other_activation(recipe, source)) is not None:
        dropped = {layer for layer in last_layers(tensors, [HEATMAP]) if layer.startswith("head.")}
        tensors = {name: value for name, value in tensors.items() if name.rpartition(".")[0] not in dropped}
        if dropped and recipe.init_head:
            said.append(
                "the head's last layer starts anew, since it gives heatmaps with activation "
                f"{both[1]} there and {both[0]} here"
            )
    return Converted(tensors, tuple(said))


def other_activation(recipe: Recipe, source: Recipe) -> tuple[str, str] | None:
    """The activations of the heatmaps of two recipes, where both have one and they differ; else ``None``."""
    both = tuple(getattr(one.codec, "activation", None) for one in (recipe, source))
    return None if None in both or both[0] == both[1] else (str(both[0]), str(both[1]))


def _scaled(value: Tensor, ratio: tuple[float, float]) -> Tensor:
    """Rows of x and y in turn, each times its ratio."""
    factor = value.new_tensor(ratio).repeat(len(value) // 2)
    return value * factor.reshape(-1, *[1] * (value.ndim - 1))


def _box_from_size(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The branch ``box`` (left, upper, right, lower) made of ``size`` (width, height); empty if none fits."""
    last = last_layers(theirs, ["size"])
    made = {
        name.replace(".size.", ".box."): torch.cat((value, value)) / 2 if name.rpartition(".")[0] in last else value
        for name, value in theirs.items()
        if ".size." in name
    }
    fits = made and all(name in own and own[name].shape == value.shape for name, value in made.items())
    return made if fits else {}
