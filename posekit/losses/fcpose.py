"""FCPose's losses: maps of the points of each instance, offsets from cells to points, auxiliary heatmaps.

Mao et al. 2021, arXiv:2105.14185.
"""

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


def reach_of(distance: Tensor, sharpness: float) -> Tensor:
    """Saturating loss of a distance: ``2 sigmoid(sharpness d) - 1``, 0 at 0 and near 1 from a few tenths on."""
    return 2 * (torch.sigmoid(sharpness * distance) - 0.5)


def per_instance(loss: Tensor, weight: Tensor) -> Tensor:
    """Sum over the known points of each instance divided by K; weighted mean over the instances.

    Args:
        loss: (B, P, K), 0 where nothing is known.
        weight: (B, P, K), equal for the known points of an instance.

    Returns:
        A scalar; 0, with a gradient path, where all weights are 0.
    """
    return (loss * weight).sum() / (weight.shape[-1] * weight.amax(-1).sum()).clamp_min(1e-9)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PointMaps:
    """Cross-entropy of each instance's maps, upsampled, with the one cell that the point lies in.

    Source: Mao et al. 2021, section 3.4.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    grown: int = Field(default=4, ge=1)
    "upsampling factor"
    kind: Suppress[Literal["point_maps"]] = "point_maps"

    needs = frozenset({"point_maps"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return PointMapsLoss(self.weight, self.grown)


class PointMapsLoss(nn.Module):
    """See `PointMaps`."""

    def __init__(self, factor: float, grown: int) -> None:
        super().__init__()
        self.factor, self.grown = factor, grown

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``point_maps``."""
        logits, place, _, weight = _of_instances(output, target)
        shape = logits.shape[:3]
        fine = F.interpolate(logits.flatten(0, 1), scale_factor=float(self.grown), mode="bilinear", align_corners=False)
        height, width = fine.shape[-2:]
        cell = ((place + 0.5) * self.grown).floor().long()
        number = cell[..., 1].clamp(0, height - 1) * width + cell[..., 0].clamp(0, width - 1)
        flat = fine.flatten(2)
        there = flat.gather(2, number.flatten(0, 1)[..., None])[..., 0]
        loss = (flat.logsumexp(-1) - there).unflatten(0, shape[:2])
        return {"point_maps": self.factor * per_instance(known(loss, weight), weight)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Refine:
    """Expected error of the locations predicted by the cells of an instance's maps, in sides of the box.

    Source: Mao et al. 2021, its published code.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    sharpness: float = Field(default=12.0, gt=0)
    "steepness of the saturating distance, `reach_of`; the loss is divided by it"
    kind: Suppress[Literal["refine"]] = "refine"

    needs = frozenset({"point_maps", "refine"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return RefineLoss(self.weight, self.sharpness)


class RefineLoss(nn.Module):
    """See `Refine`."""

    def __init__(self, factor: float, sharpness: float) -> None:
        super().__init__()
        self.factor, self.sharpness = factor, sharpness

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``refine``."""
        logits, place, side, weight = _of_instances(output, target)
        likely = logits.flatten(3).softmax(-1)
        predicted = output["refine"].flatten(2).unflatten(1, (-1, 2))[:, None]
        away = known(predicted - place[..., None], weight[..., None, None])
        distance = torch.linalg.vector_norm(away, dim=3) / side.clamp_min(1e-6)[..., None]
        loss = (likely * reach_of(distance, self.sharpness)).sum(-1) / self.sharpness
        return {"refine": self.factor * per_instance(known(loss, weight), weight)}


def _of_instances(output: Maps, target: Target) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits (B, P, K, H, W), locations (B, P, K, 2) and sides (B, P, K) in cells, and weights (B, P, K)."""
    weight = target.weight["point_maps"]
    truth = known(target.maps["point_maps"], weight[..., None])
    return known(output["point_maps"], weight[..., None, None]), truth[..., :2], truth[..., 2], weight


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Side:
    """Squared error of the auxiliary heatmaps, divided by the sum of the squared targets, at least 1.

    Source: Mao et al. 2021, its published code.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    of: Suppress[str] = "side_8"
    "name of the codec's map to compare"
    kind: Suppress[Literal["side"]] = "side"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return SideLoss(self.weight, self.of)


class SideLoss(nn.Module):
    """See `Side`."""

    def __init__(self, factor: float, of: str) -> None:
        super().__init__()
        self.factor, self.of = factor, of

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``side``."""
        weight = target.weight[self.of]
        truth = known(target.maps[self.of], weight)
        squares = (known(output[self.of], weight) - truth).square() * weight
        return {"side": self.factor * squares.sum() / (truth.square() * weight).sum().clamp_min(1.0)}
