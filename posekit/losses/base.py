"""What a loss is, and the one mean that minds the weights."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from posekit.geometry.skeleton import Skeleton


def known(value: Tensor, weight: Tensor) -> Tensor:
    """``value`` where ``weight`` counts and 0 elsewhere, for the gradient too.

    What a network says, or a file holds, where nothing is known may be NaN; multiplying by 0 would keep it, and so
    would the gradient of whatever is computed from it. A difference, or both sides of any other comparison, go through
    here first.
    """
    return torch.where(weight > 0, value, 0.0)


def weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Mean over what counts.

    Args:
        loss: unreduced; anything, NaN included, where the weight is 0.
        weight: broadcasts to ``loss``, at least 0.

    Returns:
        A scalar, ``sum(weight * loss) / sum(weight)``; 0, with a path for gradients, where nothing counts.
    """
    weight = weight.to(loss.dtype).expand_as(loss)
    total = (known(loss, weight) * weight).sum()
    return total / weight.sum().clamp_min(1e-9)


class Loss(Protocol):
    """A frozen config that builds a module.

    The module's ``forward(output, target)`` takes what `Codec.activate` and `Codec.encode` return and gives named
    scalars, already multiplied by the config's ``weight``.
    """

    @property
    def kind(self) -> str:
        """Its name among `posekit.losses.LOSSES`."""

    @property
    def weight(self) -> float:
        """Factor of its terms."""

    @property
    def needs(self) -> frozenset[str]:
        """Names that the codec must give."""

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with whatever parameters it learns."""
