"""Focal losses on maps of logits: cells that are already right have little weight, so that peaks matter."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known


def peak_focal(logits: Tensor, target: Tensor, alpha: float, beta: float) -> Tensor:
    """CornerNet's penalty-reduced focal loss, with less weight on the cells around a peak.

    Args:
        logits: (...).
        target: (...) in [0, 1]; exactly 1 at a point, values between 0 and 1 near it.
        alpha: focusing power: higher gives less weight to cells that are already right.
        beta: how strongly the penalty is reduced around a peak.

    Returns:
        (...): ``-(1 - p)^alpha log p`` where the target is 1, else ``-(1 - target)^beta p^alpha log(1 - p)``.
    """
    near = (alpha * F.logsigmoid(-logits)).exp() * F.softplus(-logits)
    far = (1 - target) ** beta * (alpha * F.logsigmoid(logits)).exp() * F.softplus(logits)
    return torch.where(target == 1, near, far)


def quality_focal(logits: Tensor, target: Tensor, beta: float | Tensor) -> Tensor:
    """``|target - p|^beta`` times the cross-entropy, for targets of any value in [0, 1]; 0 at the target."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (target - logits.sigmoid()).abs().pow(beta) * entropy


def sum_per(loss: Tensor, weight: Tensor, amount: Tensor) -> Tensor:
    """Weighted sum divided by the weighted sum of ``amount``, at least 1.

    Args:
        loss: (B, K, H, W), unreduced.
        weight: broadcasts to ``loss``.
        amount: (B, K, H, W); its weighted sum divides.

    Returns:
        A scalar; 0, with a gradient path, where all weights are 0.
    """
    weight = weight.to(loss.dtype).expand_as(loss)
    return (known(loss, weight) * weight).sum() / (amount * weight).sum().clamp_min(1.0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Focal:
    """Penalty-reduced focal loss, divided by the number of peaks.

    Needs targets that are exactly 1 at each point.

    Source: CornerNet, arXiv:1808.01244. Differs: logarithms of the sigmoid where the authors' code clamps the
    probability to 1e-4..1-1e-4, so that no cell loses its gradient.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    alpha: float = Field(default=2.0, gt=0)
    "focusing power: higher gives less weight to cells that are already right"
    beta: float = Field(default=4.0, ge=0)
    "how strongly the penalty is reduced around a peak"
    of: Suppress[str] = "peaks"
    "name of the codec's map to compare"
    kind: Suppress[Literal["focal"]] = "focal"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return FocalLoss(self.weight, self.alpha, self.beta, self.of)


class FocalLoss(nn.Module):
    """See `Focal`."""

    def __init__(self, factor: float, alpha: float, beta: float, of: str = "peaks") -> None:
        super().__init__()
        self.factor, self.alpha, self.beta, self.of = factor, alpha, beta, of

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``focal``."""
        weight = target.weight[self.of]
        truth = known(target.maps[self.of], weight)
        loss = peak_focal(known(output[self.of], weight), truth, self.alpha, self.beta)
        return {"focal": self.factor * sum_per(loss, weight, (truth == 1).to(loss.dtype))}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Qfl:
    """Quality focal loss: a focal loss for soft targets, divided by the sum of the target.

    Source: Generalized Focal Loss, arXiv:2006.04388. Differs: the absolute distance is taken, so any ``beta`` is
    allowed (the authors' code gives NaN for odd powers).
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    beta: float = Field(default=2.0, ge=1)
    "focusing power: higher gives less weight to cells that are already right"
    kind: Suppress[Literal["qfl"]] = "qfl"

    needs = frozenset({"logits"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return QflLoss(self.weight, self.beta)


class QflLoss(nn.Module):
    """See `Qfl`."""

    def __init__(self, factor: float, beta: float) -> None:
        super().__init__()
        self.factor, self.beta = factor, beta

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``qfl``."""
        weight = target.weight["logits"]
        truth = known(target.maps["logits"], weight)
        loss = quality_focal(known(output["logits"], weight), truth, self.beta)
        return {"qfl": self.factor * sum_per(loss, weight, truth)}
