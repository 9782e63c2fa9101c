"""Backbone overrides of a recipe: other activations and convolutions in a small backbone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.rewrite.replacement import anneal, swap_activations, swap_convs


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BackboneOverrides:
    """Replace layers of the backbone by stronger ones; the defaults change nothing."""

    activation: (
        Literal[
            "relu",
            "relu6",
            "leaky_relu",
            "prelu",
            "silu",
            "hardswish",
            "hardsigmoid",
            "mish",
            "gelu",
            "frelu",
            "acon_c",
            "meta_acon",
        ]
        | None
    ) = None
    """activation used throughout the backbone instead of its own; unset: no change"""
    convolution: Literal["static", "dynamic", "condconv"] = "static"
    """dynamic and condconv mix several kernels for each image: more accurate, few more MACs, many more parameters"""
    kernels: int = Field(default=4, gt=1)
    """kernels in each dynamic convolution; parameters grow in proportion; published: 4, for condconv 8"""
    temperature: float = Field(default=30.0, ge=1)
    """initial softmax temperature of dynamic convolutions; above 10 all kernels learn from the start; published: 30"""
    anneal: float = Field(default=0.1, ge=0, le=1)
    """share of the run over which the temperature falls to 1, 0 to 1; published: the first 10 epochs"""
    noise: Annotated[float, Field(ge=0)] | None = None
    """noise added to the initial copies of each kernel, in standard deviations of its weights; unset: 0.1, or 0.01 for
    a pretrained backbone, which larger noise would damage"""

    def apply(self, net: nn.Module, image: Tensor | None = None, *, trained: bool = False) -> nn.Module:
        """Change the network in place and return it; call it once, after loading weights, before making optimisers.

        Args:
            net: a backbone, or a network of which only the ``backbone`` is changed.
            image: (B, 3, H, W) on which the backbone is traced once; see `trace`.
            trained: the backbone is pretrained; see `swap_activations`.

        Raises:
            ValueError: the backbone cannot be changed like this; see `swap_convs` and `swap_activations`.
        """
        backbone = getattr(net, "backbone", net)
        if self.convolution != "static":
            noise = self.noise if self.noise is not None else 0.01 if trained else 0.1
            swap_convs(backbone, self.convolution, self.kernels, self.temperature, noise=noise, image=image)
        if self.activation is not None:
            swap_activations(backbone, self.activation, image, trained=trained)
        return net

    def advance(self, net: nn.Module, done: float) -> None:
        """Set the temperature for this point of the run; call it before each step or epoch.

        Args:
            net: returned by `apply`.
            done: share of the run, from 0 to 1.
        """
        if self.convolution == "dynamic":
            anneal(net, done, self.anneal)
