"""The raw maps of a network that makes no mistake: what a codec loses by itself, without any network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from posekit.codecs.base import Codec, Maps, Target

SMALLEST = 1e-30
"""Probabilities below have the logarithm of this one; a float32 holds it."""

LOGARITHMS = frozenset({"x", "y", "z", "dfl_x", "dfl_y", "dfl_z"})
"""Names whose target is a distribution and whose raw map goes through a softmax when it is decoded."""

UNTAUGHT = {"sigma": -9.0, "depth_sigma": -9.0}
"""Names without a truth: what a network that is sure says."""


def perfect_maps(codec: Codec, target: Target) -> Maps:
    """Raw maps that say exactly what a target says.

    A target under a map's own name is that map. Where `Codec.activate` sends the raw map through a sigmoid, it is
    undone. Soft arg-maxes, whose target is a place, get the logarithm of a Gaussian around it.

    Args:
        codec: that made the target.
        target: of B images.

    Returns:
        Everything that ``codec.shapes`` names, (B, *shape), of the target's dtype.

    Raises:
        ValueError: the target does not tell what one of the maps should be.
    """
    return {name: _raw(codec, name, target.maps) for name in codec.shapes}


def _raw(codec: Codec, name: str, maps: Maps) -> Tensor:
    """One raw map, by its name."""
    if name == "heatmap" and "probability" in maps:
        return maps["probability"].clamp_min(SMALLEST).log()
    if name in ("heatmap", "volume") and getattr(codec, "beta", None) and getattr(codec, "bias", "none") == "none":
        return _around(codec, maps)
    if name in UNTAUGHT:
        return maps["xy"].new_full((len(maps["xy"]), *codec.shapes[name]), UNTAUGHT[name])
    if name not in maps:
        raise ValueError(
            f"the target of codec {codec.kind!r} holds {sorted(maps)} and not {name!r}: say in "
            "posekit/codecs/perfect.py what a perfect network gives there"
        )
    if name in LOGARITHMS:
        return maps[name].clamp_min(SMALLEST).log()
    return _before_sigmoid(codec, name, maps[name])


def _before_sigmoid(codec: Codec, name: str, wanted: Tensor) -> Tensor:
    """The raw map that `activate` turns into ``wanted``: as it is, or what a sigmoid and its shift are undone to."""
    zeros = {key: wanted.new_zeros(1, *shape) for key, shape in codec.shapes.items()}
    at_zero = codec.activate(zeros)[name]
    if not at_zero.any():
        return wanted
    edge = torch.finfo(wanted.dtype).eps
    return wanted.clamp(SMALLEST, 1 - edge).logit() - at_zero.logit()


def _around(codec: Any, maps: Maps) -> Tensor:
    """(B, K, H, W) or (B, K D, H, W) logarithm of a Gaussian of one cell around each place, and depth where told.

    What a soft arg-max of sharpness ``beta`` finds again. One that takes no background off would be misled by a target
    for losses on maps; its network is free to give a map without any.
    """
    cells = codec.grid.cells(maps["xy"][:, 0])
    rows, columns = (
        (torch.arange(count, dtype=cells.dtype, device=cells.device) - cells[..., axis, None]).square()
        for count, axis in zip(codec.grid.shape, (1, 0), strict=True)
    )
    squares = rows[..., None] + columns[..., None, :]
    if "depth" in maps:
        level = (maps["depth"] + 0.5) * codec.bins - 0.5
        layers = (torch.arange(codec.bins, dtype=level.dtype, device=level.device) - level).square()
        squares = (layers[..., None, None] + squares[:, :, None]).flatten(1, 2)
    raw: Tensor = squares / (-2 * codec.beta)
    return raw
