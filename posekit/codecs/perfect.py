"""The raw maps of a network that makes no mistake: what a codec loses by itself, without any network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from posekit.codecs.base import Codec, Maps, Target

SMALLEST = 1e-30
"""Probabilities below have the logarithm of this one; a float32 holds it."""

LOGARITHMS = frozenset({"x", "y", "dfl_x", "dfl_y", "dfl_z"})
"""Names whose target is a distribution and whose raw map goes through a softmax when it is decoded."""

UNTAUGHT = {"sigma": -9.0, "depth_sigma": -9.0}
"""Names without a truth: what a network that is sure says."""


def perfect_maps(codec: Codec, target: Target) -> Maps:
    """Raw maps that say exactly what a target says.

    A target under a map's own name is that map. Where `Codec.read` sends the raw map through a sigmoid, it is undone.
    Soft arg-maxes, whose target is a place, get the logarithm of a Gaussian around it.

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
    if name == "volume" and name not in maps:
        return _volume(codec, maps)
    if name in UNTAUGHT:
        return maps["xy"].new_full((len(maps["xy"]), *codec.shapes[name]), UNTAUGHT[name])
    if name not in maps:
        raise ValueError(
            f"the target of codec {codec.kind!r} holds {sorted(maps)} and not {name!r}: say in "
            "posekit/codecs/perfect.py what a perfect network gives there"
        )
    if name in LOGARITHMS:
        return maps[name].clamp_min(SMALLEST).log()
    sharpness: float | None = getattr(codec, "beta", None)
    if sharpness is not None and getattr(codec, "bias", "") == "none":
        # A soft arg-max without correction takes the background along; a network learns maps that have none.
        return maps[name].clamp_min(SMALLEST).log() / sharpness
    return _before_sigmoid(codec, name, maps[name])


def _before_sigmoid(codec: Codec, name: str, wanted: Tensor) -> Tensor:
    """The raw map that `read` turns into ``wanted``: as it is, or what a sigmoid and its shift are undone to."""
    zeros = {key: wanted.new_zeros(1, *shape) for key, shape in codec.shapes.items()}
    at_zero = codec.read(zeros)[name]
    if not at_zero.any():
        return wanted
    edge = torch.finfo(wanted.dtype).eps
    return wanted.clamp(SMALLEST, 1 - edge).logit() - at_zero.logit()


def _volume(codec: Any, maps: Maps) -> Tensor:
    """(B, K D, H, W) logarithm of a Gaussian of one cell around a place and a depth, for a soft arg-max of ``beta``."""
    cells, level = codec.grid.cells(maps["xy"][:, 0]), (maps["depth"][..., 0] + 0.5) * codec.bins - 0.5
    lines = [
        (torch.arange(count, dtype=level.dtype, device=level.device) - at[..., None]).square()
        for count, at in zip((codec.bins, *codec.grid.shape), (level, cells[..., 1], cells[..., 0]), strict=True)
    ]
    squares = lines[0][..., :, None, None] + lines[1][..., None, :, None] + lines[2][..., None, None, :]
    volume: Tensor = squares.flatten(1, 2) / (-2 * codec.beta)
    return volume
