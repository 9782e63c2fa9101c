"""All activations by name.

PyTorch's own are used where they exist: its SiLU, Mish, Hardswish and GELU save only their input for the backward pass,
like the "memory-efficient" versions of other libraries (`benchmarks.activations` measures it).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from posekit.models.layers.acon import AconC, MetaAcon
from posekit.models.layers.frelu import FReLU

ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(),
    "relu6": lambda channels: nn.ReLU6(),
    "leaky_relu": lambda channels: nn.LeakyReLU(0.01),
    "prelu": lambda channels: nn.PReLU(channels),
    "silu": lambda channels: nn.SiLU(),
    "hardswish": lambda channels: nn.Hardswish(),
    "hardsigmoid": lambda channels: nn.Hardsigmoid(),
    "mish": lambda channels: nn.Mish(),
    "gelu": lambda channels: nn.GELU(),
    "frelu": FReLU,
    "acon_c": AconC,
    "meta_acon": MetaAcon,
}
"""Name to a function from the number of channels to the layer, not in place. Swish is ``silu``.

The smooth ones return NaN at minus infinity, as in PyTorch; for fixed-point hardware use ``hardswish`` or ``relu6``.
"""

BY_CHANNEL = frozenset({"prelu", "frelu", "acon_c", "meta_acon"})
"""Activations with parameters for each channel; they need (B, C, H, W) and a separate module for each use."""

IN_PLACE = (nn.ReLU, nn.ReLU6, nn.LeakyReLU)
"""Activations that may run in place: their backward pass needs only their output."""
