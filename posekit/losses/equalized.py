"""Equalized focal losses: points that are learnt poorly get a higher focusing power and weight.

Each point is a category. The absolute gradients of its positives and negatives are accumulated; the lower the ratio of
positive to negative gradients, the higher the focusing power.
"""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known
from posekit.losses.focal import quality_focal, sum_per


def equalized_focal(logits: Tensor, positive: Tensor, gamma: Tensor, factor: Tensor, alpha: float) -> Tensor:
    """``-alpha_t factor (1 - p_t)^gamma log p_t`` with ``gamma`` and ``factor`` of each category.

    Args:
        logits: (B, K, H, W).
        positive: (B, K, H, W) bool.
        gamma: (K, 1, 1) focusing power of each category.
        factor: (K, 1, 1) of each category.
        alpha: share of the positives; the negatives have ``1 - alpha``.

    Returns:
        (B, K, H, W).
    """
    signed = torch.where(positive, logits, -logits)
    share = torch.where(positive, alpha, 1 - alpha)
    return share * factor * (gamma * F.logsigmoid(-signed)).exp() * F.softplus(-signed)


def equalized_focal_pull(logits: Tensor, positive: Tensor, gamma: Tensor, factor: Tensor, alpha: float) -> Tensor:
    """Absolute derivative of `equalized_focal` with respect to the logits, in closed form; arguments as there."""
    signed = torch.where(positive, logits, -logits)
    share = torch.where(positive, alpha, 1 - alpha)
    p = signed.sigmoid()
    return share * factor * (gamma * F.logsigmoid(-signed)).exp() * (1 - p + gamma * p * F.softplus(-signed))


def quality_focal_pull(logits: Tensor, target: Tensor, gamma: Tensor) -> Tensor:
    """Absolute derivative of `quality_focal` with respect to the logits, in closed form; ``gamma`` at least 1."""
    p = logits.sigmoid()
    distance = (target - p).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return gamma * distance.pow(gamma - 1) * p * (1 - p) * entropy + distance.pow(gamma + 1)


class Balance(nn.Module):
    """Accumulated gradients of the positives and negatives of each category, and the focusing power that follows.

    The sums are saved with the module and are taken over all processes.

    Args:
        points: K.
        power: focusing power of a category with equal gradients of positives and negatives.
        scale: how much is added to it where positives have no gradient.
    """

    positive: Tensor
    negative: Tensor
    ratio: Tensor

    def __init__(self, points: int, power: float, scale: float) -> None:
        super().__init__()
        self.power, self.scale = power, scale
        self.register_buffer("positive", torch.zeros(points))
        self.register_buffer("negative", torch.zeros(points))
        self.register_buffer("ratio", torch.ones(points))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Focusing power and factor of each category, (K, 1, 1); copies, which `learn` does not change."""
        gamma = self.power + self.scale * (1 - self.ratio[:, None, None])
        return gamma, gamma / self.power

    @torch.no_grad()
    def learn(self, pull: Tensor, share: Tensor) -> None:
        """Accumulate the gradients of a step; every process must call it equally often.

        Args:
            pull: (B, K, H, W) absolute gradients, 0 where nothing is known.
            share: (B, K, H, W) in [0, 1], to what degree each cell is a positive.
        """
        positive = (pull * share).sum((0, 2, 3))
        sums = torch.stack((positive, (pull * (1 - share)).sum((0, 2, 3)))).to(self.ratio.dtype)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        self.positive += sums[0]
        self.negative += sums[1]
        ratio = (self.positive / (self.negative + 1e-10)).clamp(0, 1)
        # A category that was never seen keeps its initial ratio; it is not treated as having no positive gradient.
        self.ratio.copy_(torch.where(self.positive + self.negative > 0, ratio, 1.0))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Efl:
    """Equalized focal loss: binary cells, each point balanced by the accumulated gradients of its positives.

    A cell is a positive where the target is exactly 1. Equal to the focal loss of arXiv:1708.02002 while all points are
    balanced.

    Source: Li et al. 2022, arXiv:2201.02593. Differs: gradients are computed in closed form instead of by a hook, so
    that loss scaling does not affect them; a point that was never seen keeps the ratio 1.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    gamma: float = Field(default=2.0, ge=1)
    "focusing power of a balanced point"
    alpha: float = Field(default=0.25, gt=0, lt=1)
    "weight of the positives; the negatives have 1 minus it"
    scale: float = Field(default=8.0, ge=0)
    "how much the power grows for a point whose positives have no gradient"
    kind: Suppress[Literal["efl"]] = "efl"

    needs = frozenset({"peaks"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with its sums."""
        return EflLoss(self, len(skeleton.points))


class EflLoss(nn.Module):
    """See `Efl`; updates the balance in training mode only, once for each forward pass."""

    def __init__(self, config: Efl, points: int) -> None:
        super().__init__()
        self.config = config
        self.balance = Balance(points, config.gamma, config.scale)

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``efl``."""
        weight = target.weight["peaks"]
        logits, positive = known(output["peaks"], weight), known(target.maps["peaks"], weight) == 1
        gamma, factor = self.balance()
        loss = equalized_focal(logits, positive, gamma, factor, self.config.alpha)
        share = positive.to(loss.dtype)
        if self.training:
            pull = equalized_focal_pull(logits.detach(), positive, gamma, factor, self.config.alpha)
            self.balance.learn(_counted(pull, weight, share), share)
        return {"efl": self.config.weight * sum_per(loss, weight, share)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Eqfl:
    """Equalized quality focal loss: the same balance for soft targets; the target is the degree of a positive.

    Source: Li et al. 2022, arXiv:2201.02593. Differs: as `Efl`.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    beta: float = Field(default=2.0, ge=1)
    "focusing power of a balanced point"
    scale: float = Field(default=8.0, ge=0)
    "how much the power grows for a point whose positives have no gradient"
    kind: Suppress[Literal["eqfl"]] = "eqfl"

    needs = frozenset({"logits"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with its sums."""
        return EqflLoss(self, len(skeleton.points))


class EqflLoss(nn.Module):
    """See `Eqfl`; updates the balance in training mode only, once for each forward pass."""

    def __init__(self, config: Eqfl, points: int) -> None:
        super().__init__()
        self.config = config
        self.balance = Balance(points, config.beta, config.scale)

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``eqfl``."""
        weight = target.weight["logits"]
        logits, truth = known(output["logits"], weight), known(target.maps["logits"], weight)
        gamma, factor = self.balance()
        loss = factor * quality_focal(logits, truth, gamma)
        if self.training:
            pull = factor * quality_focal_pull(logits.detach(), truth, gamma)
            self.balance.learn(_counted(pull, weight, truth), truth)
        return {"eqfl": self.config.weight * sum_per(loss, weight, truth)}


def _counted(pull: Tensor, weight: Tensor, amount: Tensor) -> Tensor:
    """Gradients of the reduced loss from those of the unreduced one: weighted, and divided as in `sum_per`."""
    weight = weight.to(pull.dtype)
    return pull * weight / (amount * weight).sum().clamp_min(1.0)
