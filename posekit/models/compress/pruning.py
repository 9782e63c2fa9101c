"""Small weights to zero while a network trains: magnitude pruning by a gradual schedule.

There are no masks: a pruned weight is a zero, a zero stays one, and what is zero is read off the weights. So a resumed
run goes on as it was, and a trained network is a plain one with zeros in it.
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
"""Times that the share grows between start and stop; ranking all weights before every step would cost too much."""
LEAST = 0.01
"""Share of every layer's weights that a ranking leaves in any case: an empty layer would end the network."""

PRUNED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, MixedConv2d)
"""Layers that lose weights; of those, depth-wise convolutions lose none."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Prune:
    """The smallest weights become zero while the network trains; as it stands, none do.

    Zeros make files compress better, and run faster only where the runtime knows sparse weights; to have fewer
    multiply-accumulates everywhere, remove whole channels (``posekit prune``). Depth-wise kernels stay: there are few
    of them, and each is all that its channel has.

    Source: Han et al. 2015, arXiv:1506.02626; the schedule is Zhu and Gupta 2017, arXiv:1710.01878, eq. 1 from zero.
    """

    share: float = Field(default=0.0, ge=0, le=1 - LEAST)
    """share of the weights that are zero at the end of training, 0 to 0.99; 0 turns pruning off"""
    scope: Literal["global", "layer"] = "global"
    """global ranks the weights of all layers together; layer prunes the same share of every layer"""
    start: float = Field(default=0.1, ge=0, lt=1)
    """share of the run before pruning starts, 0 to 1; layers that are initialised with zeros need some steps first"""
    stop: float = Field(default=0.75, ge=0, lt=1)
    """share of the run after which no more weights are pruned; not above start: all are pruned at once"""
    keep: tuple[str, ...] = ()
    """parts of the network that are not pruned, by name, such as head; frozen parts are never pruned"""

    @property
    def off(self) -> bool:
        """Whether nothing is pruned."""
        return not self.share

    def at(self, done: float) -> float:
        """Share of zeros that belongs to a point of the run.

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
        """Those that may be pruned, in the order of the network's layers.

        Raises:
            ValueError: `keep` names a part that is not there, or nothing is left to prune.
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
        """Set the smallest weights to zero, as many as belong to a point of the run; to be called before steps.

        Args:
            net: changed; zeros that are there count and stay.
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
        """What is zero stays zero through the block: a step of an optimiser."""
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
        """Give an average of the network its zeros.

        Args:
            average: of the same layers; changed.
            net: pruned.
        """
        if self.off:
            return
        for averaged, weight in zip(self.weights(average), self.weights(net), strict=True):
            averaged.mul_(_kept(weight))


def sparsity(weights: Sequence[Tensor]) -> float:
    """Share of zeros among some weights."""
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


def _depthwise(layer: nn.Module) -> bool:
    """Whether each kernel reads one channel of several."""
    groups: int = getattr(layer, "groups", 1)
    return groups > 1 and cast(Tensor, layer.weight).shape[-3] == 1


def _kept(weight: Tensor) -> Tensor:
    """Weights that may move. A layer of nothing but zeros starts from them on purpose: all of it may."""
    there = weight != 0
    return there | ~there.any()


def _counts(weights: Sequence[Tensor], share: float) -> tuple[int, int]:
    """How many of these weights should be zero, and how many may at most."""
    sizes = [weight.numel() for weight in weights]
    return round(share * sum(sizes)), sum(size - _guarded(size) for size in sizes)


def _guarded(size: int) -> int:
    return max(1, math.ceil(LEAST * size))


def _zero_smallest(weights: Sequence[Tensor], count: int) -> None:
    """Set the smallest of several weights to zero: so many, and those that equal the largest of them."""
    ranks = [weight.detach().abs().flatten() for weight in weights]
    for rank in ranks:
        rank[rank.topk(_guarded(len(rank))).indices] = math.inf
    border = torch.cat(ranks).kthvalue(count).values
    for weight, rank in zip(weights, ranks, strict=True):
        weight.masked_fill_((rank <= border).view(weight.shape), 0.0)
