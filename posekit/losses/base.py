"""The `Loss` protocol, and the weighted mean that reduces all losses."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from posekit.geometry.skeleton import Skeleton


def known(value: Tensor, weight: Tensor) -> Tensor:
    """``value`` where ``weight`` is not 0, and 0 elsewhere, with no gradient there.

    Outputs and labels may be NaN where nothing is known; multiplying by 0 would keep the NaN, also in the gradient. So
    apply this to a difference, or to both sides of any other comparison, first.
    """
    return torch.where(weight > 0, value, 0.0)


def weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean.

    Args:
        loss: unreduced; anything, NaN included, where the weight is 0.
        weight: broadcasts to ``loss``, at least 0.

    Returns:
        A scalar, ``sum(weight * loss) / sum(weight)``; 0, with a gradient path, where all weights are 0.
    """
    weight = weight.to(loss.dtype).expand_as(loss)
    total = (known(loss, weight) * weight).sum()
    return total / weight.sum().clamp_min(1e-9)


class Loss(Protocol):
    """A frozen config that builds the module of a loss.

    The module's ``forward(output, target)`` takes the results of `Codec.activate` and `Codec.encode` and returns named
    scalars, already multiplied by the config's ``weight``.
    """

    @property
    def kind(self) -> str:
        """Its key in `posekit.losses.LOSSES`."""

    @property
    def weight(self) -> float:
        """Factor of its terms."""

    @property
    def needs(self) -> frozenset[str]:
        """Names that the codec's ``gives`` must contain."""

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with its learned parameters if it has any."""
