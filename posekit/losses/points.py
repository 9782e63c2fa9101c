"""Losses on locations in image pixels."""

import math
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


def smooth_l1(distance: Tensor, beta: float) -> Tensor:
    """Quadratic below ``beta``, linear above: ``d^2 / (2 beta)``, then ``d - beta / 2``."""
    return torch.where(distance < beta, 0.5 * distance.square() / beta, distance - 0.5 * beta)


def wing(distance: Tensor, width: float, epsilon: float) -> Tensor:
    """Logarithmic below ``width``, linear above (Feng et al. 2018, arXiv:1711.06753, eq. 5)."""
    offset = width - width * math.log1p(width / epsilon)
    return torch.where(distance < width, width * torch.log1p(distance / epsilon), distance - offset)


def soft_wing(distance: Tensor, inner: float, outer: float, epsilon: float) -> Tensor:
    """Linear below ``inner`` and logarithmic above: large errors have less gradient than in L1.

    Source: Lin et al. 2021, IEEE TIP, structure-coherent deep feature learning for face alignment.
    """
    offset = inner - outer * math.log1p(inner / epsilon)
    return torch.where(distance < inner, distance, outer * torch.log1p(distance / epsilon) + offset)


class PointsLoss(nn.Module):
    """Mean of a function of the absolute errors along x and y, over the known points."""

    def __init__(self, name: str, factor: float, rule: str, *settings: float) -> None:
        super().__init__()
        self.name, self.factor, self.rule, self.settings = name, factor, rule, settings

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """One term under the name of the loss."""
        weight = target.weight["xy"]
        distance = known(output["xy"] - target.maps["xy"], weight).abs()
        if self.rule == "smooth_l1":
            distance = smooth_l1(distance, *self.settings)
        elif self.rule == "wing":
            distance = wing(distance, *self.settings)
        elif self.rule == "soft_wing":
            distance = soft_wing(distance, *self.settings)
        elif self.rule == "l2":
            distance = distance.square()
        return {self.name: self.factor * weighted_mean(distance, weight)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class L1:
    """Mean absolute error along the axes, in image pixels."""

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["l1"]] = "l1"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointsLoss("l1", self.weight, "l1")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SmoothL1:
    """Smooth L1: quadratic for small errors, linear for large ones."""

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    beta: float = Field(default=1.0, gt=0)
    "image pixels below which it is quadratic"
    kind: Suppress[Literal["smooth_l1"]] = "smooth_l1"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointsLoss("smooth_l1", self.weight, "smooth_l1", self.beta)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Wing:
    """Wing loss: steeper than L1 near the target, so that small errors matter more."""

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    width: float = Field(default=10.0, gt=0)
    "image pixels below which it is logarithmic"
    epsilon: float = Field(default=2.0, gt=0)
    "image pixels; smaller is steeper at zero"
    kind: Suppress[Literal["wing"]] = "wing"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointsLoss("wing", self.weight, "wing", self.width, self.epsilon)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SoftWing:
    """Soft wing loss: linear near the target and logarithmic beyond, so that outliers have less gradient.

    Source: Lin et al. 2021, IEEE TIP, structure-coherent deep feature learning for face alignment.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    inner: float = Field(default=2.0, gt=0)
    "image pixels below which it is linear"
    outer: float = Field(default=20.0, gt=0)
    "factor of the logarithm"
    epsilon: float = Field(default=0.5, gt=0)
    "image pixels; smaller makes the logarithm more curved"
    kind: Suppress[Literal["soft_wing"]] = "soft_wing"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointsLoss("soft_wing", self.weight, "soft_wing", self.inner, self.outer, self.epsilon)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class L2:
    """Mean squared error along the axes, in square image pixels."""

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["l2"]] = "l2"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointsLoss("l2", self.weight, "l2")
