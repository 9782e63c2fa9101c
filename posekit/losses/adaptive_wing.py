"""Adaptive Wing: a heatmap loss that is steep near peaks and flat in the background."""

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

NEAR = 0.2
"""Cells with at least this target value belong to a peak."""


def adaptive_wing(distance: Tensor, target: Tensor, alpha: float, omega: float, epsilon: float, theta: float) -> Tensor:
    """Logarithmic below ``theta`` with a power that depends on the target, linear above; continuously differentiable.

    Args:
        distance: (...) at least 0.
        target: (...) in [0, 1].
        alpha: power where the target is 0; above 2, so that the slope at 0 is 0 for every target.
        omega: factor of the logarithm.
        epsilon: smaller is steeper near 0.
        theta: distance from which it is linear.

    Returns:
        (...).

    Source: Wang et al. 2019, arXiv:1904.07399.
    """
    power = alpha - target
    ratio = (theta / epsilon) ** power
    slope = omega / (1 + ratio) * power * ratio / theta
    offset = theta * slope - omega * torch.log1p(ratio)
    # The power of a huge distance would be inf, and its gradient NaN even where the other branch is selected.
    inside = distance.clamp_max(theta) / epsilon
    return torch.where(distance < theta, omega * torch.log1p(inside.pow(power)), slope * distance - offset)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AdaptiveWing:
    """Adaptive Wing loss, averaged over all cells of the known maps; cells in and beside a peak have more weight.

    Source: Wang et al. 2019, arXiv:1904.07399. Differs: the mean is over the known maps.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    alpha: float = Field(default=2.1, gt=2)
    "power of the logarithm's argument where the target is 0"
    omega: float = Field(default=14.0, gt=0)
    "factor of the logarithm"
    epsilon: float = Field(default=1.0, gt=0)
    "smaller is steeper near the target"
    theta: float = Field(default=0.5, gt=0)
    "distance from which it is linear"
    peak: float = Field(default=10.0, ge=0)
    "extra weight of cells with a target of 0.2 or more and their neighbours; 0: all cells have weight 1"
    kind: Suppress[Literal["adaptive_wing"]] = "adaptive_wing"

    needs = frozenset({"heatmap"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return AdaptiveWingLoss(self)


class AdaptiveWingLoss(nn.Module):
    """See `AdaptiveWing`."""

    def __init__(self, config: AdaptiveWing) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``adaptive_wing``."""
        config, weight = self.config, target.weight["heatmap"]
        truth = known(target.maps["heatmap"], weight)
        distance = (known(output["heatmap"], weight) - truth).abs()
        loss = adaptive_wing(distance, truth, config.alpha, config.omega, config.epsilon, config.theta)
        near = F.max_pool2d(truth, 3, stride=1, padding=1) >= NEAR
        loss = (loss * (1 + config.peak * near)).mean((-2, -1))
        return {"adaptive_wing": config.weight * weighted_mean(loss, weight[..., 0, 0])}
