"""Quantisation-aware training: weights and inputs of layers are rounded as an int8 runtime would.

Names and values of all weights are those of the plain network. A quantised network also has the range of each layer's
input, two numbers in the buffer ``LAYER.rounding.range``, so that checkpoints, averages and weights folders contain it.
Scales of weights are not stored; they follow from the weights.

Batch norms are not folded while training. Weights have one scale for each output channel, so folding a norm, which
scales output channels, changes no rounded value.

Source: Jacob et al. 2018, arXiv:1712.05877. Differs: weights are quantised symmetrically for each output channel, so
that norms need no folding; biases are not rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Any, cast

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.dynamic import MixedConv2d
from posekit.models.layers.unfold import tracing
from posekit.models.parts import outside

ROUNDING = "rounding"
"""Name of the module in each layer that rounds."""
ROUNDED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Layers whose inputs and weights are rounded; sums, norms and activations are not."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FakeQuant:
    """Quantisation-aware training: round weights and inputs of layers while training; off by default.

    In evaluation mode the network rounds as soon as it has ranges, whatever `start` says: the network that is
    evaluated, saved and loaded is the quantised one.
    """

    bits: int | None = Field(default=None, ge=2, le=8)
    """bits of quantisation-aware training, 2 to 8; unset turns it off; exported int8 models need 8"""
    start: float = Field(default=0.25, ge=0, lt=1)
    """share of the run before weights and activations are rounded, 0 to 1; ranges are collected from the first step"""
    freeze: float = Field(default=0.75, gt=0, le=1)
    """share of the run after which the ranges of activations are frozen, 0 to 1"""
    follow: float = Field(default=0.01, gt=0, le=1)
    """momentum of the ranges: weight of each batch's minimum and maximum in the running range, 0 to 1"""
    keep: tuple[str, ...] = ()
    """parts of the network that are not quantised, by name, such as head; frozen parts collect no ranges and are
    quantised only if their initial weights came with ranges"""

    @property
    def off(self) -> bool:
        """Whether nothing is rounded."""
        return self.bits is None

    def apply(self, net: nn.Module) -> nn.Module:
        """Add rounding to the layers of a network, in place; call it once.

        Args:
            net: changed.

        Raises:
            ValueError: `keep` names an unknown part, no layer can be quantised, or convolutions are dynamic.
        """
        if self.bits is None:
            return net
        modules = outside(net, self.keep, "quantise.keep")
        mixed = [name for name, layer in modules.items() if isinstance(layer, MixedConv2d)]
        if mixed:
            raise ValueError(
                f"quantise: {len(mixed)} dynamic convolutions have no fixed weights to round (first: "
                f"{mixed[0]}); use --override.convolution static"
            )
        layers = [layer for layer in modules.values() if isinstance(layer, ROUNDED)]
        if not layers:
            raise ValueError("quantise: no layer is left to round; keep fewer parts")
        for layer in layers:
            rounding = Rounding(self.bits, self.follow, axis=int(isinstance(layer, nn.ConvTranspose2d)))
            layer.add_module(ROUNDING, rounding.to(layer.weight.device).train(layer.training))
            layer.register_forward_pre_hook(rounding.before)
            layer.register_forward_hook(rounding.after, always_call=True)
        return net

    def advance(self, net: nn.Module, done: float) -> None:
        """Start rounding and freeze ranges at the right points of the run; call it before each step.

        Args:
            net: returned by `apply`.
            done: share of the run, from 0 to 1.
        """
        if self.off:
            return
        for layer in net.modules():
            if isinstance(layer, Rounding):
                layer.rounds, layer.watches = done >= self.start, done < self.freeze


class Rounding(nn.Module):
    """Rounds the input and weight of one layer, and holds the range of the input.

    Args:
        bits: bits of a rounded value.
        follow: momentum of the range.
        axis: axis of the weight's output channels.
    """

    range: Tensor

    def __init__(self, bits: int, follow: float, axis: int = 0) -> None:
        super().__init__()
        self.bits, self.follow, self.axis = bits, follow, axis
        self.rounds = self.watches = True
        self.scale: float | None = None
        self.zero = 0
        self.register_buffer("range", torch.zeros(2))

    def train(self, mode: bool = True) -> Rounding:
        """Set the mode; in evaluation mode the scale of the input is a constant, as in an exported file."""
        super().train(mode)
        self._settle()
        return self

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._settle()

    def _settle(self) -> None:
        low, high = (0.0, 0.0) if self.range.is_meta else self.range.tolist()
        scale, zero = self.step()
        self.scale, self.zero = (float(scale), int(zero)) if high > low else (None, 0)

    def before(self, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Forward pre-hook: replace input and weight by rounded values; update the range in training."""
        x = inputs[0]
        if self.training and self.watches:
            self.watch(x.detach())
        if not (self.rounds if self.training else self.scale is not None):
            return None
        # An instance attribute hides the parameter, which keeps its name and its gradient.
        layer.__dict__["weight"] = self.weight(cast(Tensor, layer.weight))
        return (self.input(x), *inputs[1:])

    def after(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Forward hook: remove the rounded weight, also after an error."""
        layer.__dict__.pop("weight", None)

    @torch.no_grad()
    def watch(self, x: Tensor) -> None:
        """Update the range by that of ``x``; it always contains zero, so that padding is exact."""
        low, high = torch.aminmax(x)
        seen = torch.stack([low.clamp(max=0), high.clamp(min=0)]).to(self.range)
        known = self.range[1] > self.range[0]
        self.range.lerp_(seen, torch.where(known, self.follow, 1.0))

    def step(self) -> tuple[Tensor, Tensor]:
        """Scale of the input, and the zero point."""
        low, high = self.range
        scale = ((high - low) / self.top).clamp(min=torch.finfo(torch.float32).eps)
        return scale, (-low / scale).round().clamp(0, self.top).to(torch.int32)

    @property
    def top(self) -> int:
        """The largest quantised value of inputs; the smallest is 0."""
        return int(2**self.bits - 1)

    def input(self, x: Tensor) -> Tensor:
        """``x`` rounded and clipped to the range; the gradient is 1 inside and 0 outside."""
        scale, zero = cast(tuple[float, int], self.step() if self.training else (self.scale, self.zero))
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, self.top).to(x.dtype)

    def weight(self, weight: Tensor) -> Tensor:
        """The weight, rounded with one scale for each output channel; the gradient is 1."""
        half = 2 ** (self.bits - 1)
        scale = self.weight_step(weight)
        if tracing():  # a constant in the exported file, not the operations that lead to it
            scale = torch.tensor(scale.tolist(), dtype=scale.dtype, device=scale.device)
        zero = torch.zeros_like(scale, dtype=torch.int32)
        # The smallest value never occurs, but file formats need the full range.
        rounded = torch.fake_quantize_per_channel_affine(weight.float(), scale, zero, self.axis, -half, half - 1)
        return rounded.to(weight.dtype)

    def weight_step(self, weight: Tensor) -> Tensor:
        """Scale of the weight, (channels,): the largest magnitude of each channel becomes the largest value."""
        others = [axis for axis in range(weight.ndim) if axis != self.axis]
        largest = weight.detach().float().abs().amax(others)
        highest = int(2 ** (self.bits - 1) - 1)
        return (largest / highest).clamp(min=torch.finfo(torch.float32).tiny)


@plain_dataclass(frozen=True, eq=False)
class Steps:
    """Quantisation parameters of one layer, for export.

    Args:
        scale: scale of the input.
        zero: zero point of the input.
        weight: scale of the weight, (channels,); its zero point is 0.
    """

    scale: float
    zero: int
    weight: Tensor


def steps(net: nn.Module) -> Mapping[str, Steps]:
    """Quantisation parameters of every layer that has a range, by the layer's name.

    Args:
        net: in evaluation mode, with its weights loaded.
    """
    found = {}
    for name, layer in net.named_modules():
        rounding = getattr(layer, ROUNDING, None)
        if isinstance(rounding, Rounding) and rounding.scale is not None:
            found[name] = Steps(rounding.scale, rounding.zero, rounding.weight_step(layer.weight))
    return found
