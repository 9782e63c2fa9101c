"""Every activation by its name.

Where PyTorch has one, it is PyTorch's: its SiLU, Mish, Hardswish and GELU keep their input alone for the way back, as
the "memory-efficient" versions of other libraries do (`benchmarks.activations` measures it).
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
"""Name to what builds it from the number of channels; none works in place. Swish is ``silu``.

The smooth ones give nan at minus infinity, as PyTorch's do; for fixed-point machines take ``hardswish`` or ``relu6``.
"""

BY_CHANNEL = frozenset({"prelu", "frelu", "acon_c", "meta_acon"})
"""Those with parameters for each channel; they want maps (B, C, H, W) and a module of their own in each place."""

IN_PLACE = (nn.ReLU, nn.ReLU6, nn.LeakyReLU)
"""Those that may work in place where another did: on the way back they need their result alone."""
