"""The raw maps of a network that makes no mistake: what a codec loses by itself, without any network."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.base import Codec, Maps, Target

SMALLEST = 1e-30
"""Probabilities below have the logarithm of this one; a float32 holds it."""

LOGARITHMS = frozenset({"x", "y", "dfl_x", "dfl_y", "dfl_z"})
"""Names whose target is a distribution and whose raw map goes through a softmax."""

LOGITS = frozenset({"peaks"})
"""Names whose target lies in [0, 1] and whose raw map goes through a sigmoid."""

UNTAUGHT = {"sigma": -9.0}
"""Names without a truth: what a network that is sure says."""


def perfect_maps(codec: Codec, target: Target) -> Maps:
    """Raw maps that say exactly what a target says.

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
    if name in UNTAUGHT:
        return maps["xy"].new_full((len(maps["xy"]), *codec.shapes[name]), UNTAUGHT[name])
    if name not in maps:
        raise ValueError(
            f"the target of codec {codec.kind!r} holds {sorted(maps)} and not {name!r}: say in "
            "posekit/codecs/perfect.py what a perfect network gives there"
        )
    if name in LOGARITHMS:
        return maps[name].clamp_min(SMALLEST).log()
    if name in LOGITS:
        edge = torch.finfo(maps[name].dtype).eps
        return maps[name].clamp(SMALLEST, 1 - edge).logit()
    sharpness: float | None = getattr(codec, "beta", None)
    if sharpness is not None and getattr(codec, "bias", "") == "none":
        # A soft arg-max without correction takes the background along; a network learns maps that have none.
        return maps[name].clamp_min(SMALLEST).log() / sharpness
    return maps[name]
