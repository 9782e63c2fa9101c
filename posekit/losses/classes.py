"""Binary classification losses of cells: focal loss and cross-entropy."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


def sigmoid_focal(logits: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss of each cell: cross-entropy, reduced where the prediction is already right.

    Args:
        logits: (...).
        target: (...) 0 or 1.
        alpha: weight of the positives; the negatives have 1 minus it.
        gamma: focusing power: higher gives less weight to cells that are already right.

    Returns:
        (...): ``-alpha (1 - p)^gamma log p`` where the target is 1, ``-(1 - alpha) p^gamma log(1 - p)`` where it is 0.
    """
    there = alpha * (gamma * F.logsigmoid(-logits)).exp() * F.softplus(-logits)
    empty = (1 - alpha) * (gamma * F.logsigmoid(logits)).exp() * F.softplus(logits)
    return target * there + (1 - target) * empty


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SigmoidFocal:
    """Focal loss of positive and negative cells, divided by the number of positives.

    Source: Lin et al. 2017, arXiv:1708.02002. Differs: ``average``, which FCOS's authors recommend for small data sets.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    alpha: float = Field(default=0.25, gt=0, lt=1)
    "weight of the positives; the negatives have 1 minus it"
    gamma: float = Field(default=2.0, ge=0)
    "focusing power: higher gives less weight to cells that are already right"
    average: float = Field(default=0.0, ge=0, lt=1)
    "momentum of a moving average of the number of positives, such as 0.9; 0: each batch is divided by its own number"
    of: Suppress[str] = "class"
    "name of the codec's map to compare"
    kind: Suppress[Literal["sigmoid_focal"]] = "sigmoid_focal"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with its moving average."""
        return SigmoidFocalLoss(self)


class SigmoidFocalLoss(nn.Module):
    """See `SigmoidFocal`; the average is updated in training mode only."""

    amount: Tensor

    def __init__(self, config: SigmoidFocal) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("amount", torch.zeros(()))

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``sigmoid_focal``."""
        config = self.config
        weight = target.weight[config.of]
        truth = known(target.maps[config.of], weight)
        loss = sigmoid_focal(known(output[config.of], weight), truth, config.alpha, config.gamma)
        weight = weight.to(loss.dtype).expand_as(loss)
        positives = (truth * weight).sum()
        total = (known(loss, weight) * weight).sum()
        return {"sigmoid_focal": config.weight * total / self._smooth(positives).clamp_min(1.0)}

    @torch.no_grad()
    def _smooth(self, positives: Tensor) -> Tensor:
        """The number of positives, as a moving average where ``average`` is set."""
        keep = self.config.average
        if not keep:
            return positives
        before = self.amount.to(positives.dtype)
        # The first step has nothing to average with.
        now = torch.where(before > 0, keep * before + (1 - keep) * positives, positives) if self.training else before
        if self.training:
            self.amount.copy_(now)
        return torch.where(now > 0, now, positives)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Bce:
    """Mean binary cross-entropy of logits with targets in [0, 1]; not 0 at its minimum if targets are soft.

    Source: FCOS's centre-ness, arXiv:1904.01355.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    of: Suppress[str] = "centreness"
    "name of the codec's map to compare"
    kind: Suppress[Literal["bce"]] = "bce"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return BceLoss(self.weight, self.of)


class BceLoss(nn.Module):
    """See `Bce`."""

    def __init__(self, factor: float, of: str = "centreness") -> None:
        super().__init__()
        self.factor, self.of = factor, of

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``bce``."""
        weight = target.weight[self.of]
        logits, truth = known(output[self.of], weight), known(target.maps[self.of], weight)
        loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        return {"bce": self.factor * weighted_mean(loss, weight)}
