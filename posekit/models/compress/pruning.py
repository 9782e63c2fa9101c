"""Magnitude pruning: set small weights to zero while a network trains, on a gradual schedule.

There are no masks: weights that are zero stay zero. So a resumed run continues as before, and the trained network is a
plain network with zero weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, cast

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.dynamic import MixedConv2d
from posekit.models.parts import outside

LEVELS = 100
"""Pruning steps between start and stop; ranking all weights before every training step would cost too much."""
LEAST = 0.01
"""Smallest share of weights that every layer keeps, so that no layer becomes empty."""

PRUNED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, MixedConv2d)
"""Layers that are pruned, except depth-wise convolutions."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Prune:
    """Set the smallest weights to zero while the network trains; off by default.

    Zeros make files compress better, and speed up only runtimes with sparse kernels; to reduce multiply-accumulates
    everywhere, remove whole channels (``posekit prune``). Depth-wise kernels are not pruned: they have few weights.

    Source: Han et al. 2015, arXiv:1506.02626; schedule: Zhu and Gupta 2017, arXiv:1710.01878, eq. 1, from zero.
    """

    share: float = Field(default=0.0, ge=0, le=1 - LEAST)
    """share of the weights that are zero at the end of training, 0 to 0.99; 0 turns pruning off"""
    scope: Literal["global", "layer"] = "global"
    """global ranks the weights of all layers together; layer prunes the same share of every layer"""
    start: float = Field(default=0.1, ge=0, lt=1)
    """share of the run before pruning starts, 0 to 1; layers that are initialised with zeros need some steps first"""
    stop: float = Field(default=0.75, ge=0, lt=1)
    """share of the run after which no more weights are pruned; at or below start: all are pruned at once"""
    keep: tuple[str, ...] = ()
    """parts of the network that are not pruned, by name, such as head; frozen parts are never pruned"""

    @property
    def off(self) -> bool:
        """Whether nothing is pruned."""
        return not self.share

    def at(self, done: float) -> float:
        """Share of zeros at a point of the run, by the schedule.

        Args:
            done: share of the run, from 0 to 1.
        """
        if done < self.start:
            return 0.0
        if done >= self.stop:
            return self.share
        level = math.floor((done - self.start) / (self.stop - self.start) * LEVELS) / LEVELS
        return self.share * (1 - (1 - level) ** 3)

    def weights(self, net: nn.Module) -> list[Tensor]:
        """Weights that may be pruned, in the order of the network's layers.

        Raises:
            ValueError: `keep` names an unknown part, or no layer can be pruned.
        """
        found = [
            layer.weight
            for layer in outside(net, self.keep, "prune.keep").values()
            if isinstance(layer, PRUNED) and not _depthwise(layer) and layer.weight.requires_grad
        ]
        if not found:
            raise ValueError("prune: no layer is left to prune; keep or freeze fewer parts")
        return found

    @torch.no_grad()
    def advance(self, net: nn.Module, done: float) -> None:
        """Set the smallest weights to zero, as many as the schedule says; call it before each step.

        Args:
            net: changed; existing zeros count and stay.
            done: share of the run, from 0 to 1.
        """
        if self.off:
            return
        share, weights = self.at(done), self.weights(net)
        zeros = torch.stack([(weight == 0).sum() for weight in weights]).tolist()
        groups = [range(len(weights))] if self.scope == "global" else [[index] for index in range(len(weights))]
        for group in groups:
            wanted, most = _counts([weights[index] for index in group], share)
            if sum(zeros[index] for index in group) < min(wanted, most):
                _zero_smallest([weights[index] for index in group], min(wanted, most))

    @contextmanager
    def holding(self, net: nn.Module) -> Iterator[None]:
        """Keep zero weights at zero through the block, which is an optimiser step."""
        if self.off:
            yield
            return
        kept = [(weight, _kept(weight)) for weight in self.weights(net)]
        yield
        with torch.no_grad():
            for weight, mask in kept:
                weight.mul_(mask)

    @torch.no_grad()
    def follow(self, average: nn.Module, net: nn.Module) -> None:
        """Set the pruned weights to zero in the moving average too.

        Args:
            average: moving average of the network; changed.
            net: pruned network.
        """
        if self.off:
            return
        for averaged, weight in zip(self.weights(average), self.weights(net), strict=True):
            averaged.mul_(_kept(weight))


def sparsity(weights: Sequence[Tensor]) -> float:
    """Share of zeros in some weights."""
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


def _depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a depth-wise convolution."""
    groups: int = getattr(layer, "groups", 1)
    return groups > 1 and cast(Tensor, layer.weight).shape[-3] == 1


def _kept(weight: Tensor) -> Tensor:
    """Mask of weights that may change; in a layer of only zeros, which was initialised so, all may."""
    there = weight != 0
    return there | ~there.any()


def _counts(weights: Sequence[Tensor], share: float) -> tuple[int, int]:
    """How many of these weights should be zero, and how many can be at most."""
    sizes = [weight.numel() for weight in weights]
    return round(share * sum(sizes)), sum(size - _guarded(size) for size in sizes)


def _guarded(size: int) -> int:
    return max(1, math.ceil(LEAST * size))


def _zero_smallest(weights: Sequence[Tensor], count: int) -> None:
    """Set the ``count`` smallest weights to zero, and any that equal the largest of these."""
    ranks = [weight.detach().abs().flatten() for weight in weights]
    for rank in ranks:
        rank[rank.topk(_guarded(len(rank))).indices] = math.inf
    border = torch.cat(ranks).kthvalue(count).values
    for weight, rank in zip(weights, ranks, strict=True):
        weight.masked_fill_((rank <= border).view(weight.shape), 0.0)
