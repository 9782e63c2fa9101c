"""Mean squared losses on heatmaps, fields and volumes, and online hard keypoint mining."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


def map_squares(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean square over the cells of each map.

    Args:
        output: (B, K, H, W).
        target: (B, K, H, W).
        weight: (B, K, 1, 1) or (B, K, H, W); cells with weight 0 contribute 0.

    Returns:
        (B, K), not weighted.
    """
    return known(output - target, weight).square().mean((-2, -1))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Mse:
    """Mean square over all cells of the known maps.

    A map is nearly empty, so the value is small (about 0.008 for a Gaussian of 2 cells on 64x48); with weight decay or
    several losses, give it a weight of some hundreds, about the number of cells of a map over that of a peak.

    Source: SimpleBaseline, arXiv:1804.06208. Differs: no factor 1/2, a fractional weight is not squared,
    and the mean is over the known maps, not over all. With ``each_cell`` DEKR, arXiv:2104.02300.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    each_cell: bool = False
    "use the weight of each cell, and divide by the number of cells of all maps, as one-stage codecs need"
    kind: Suppress[Literal["mse"]] = "mse"

    needs = frozenset({"heatmap"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return CellsLoss(self.weight) if self.each_cell else MseLoss("mse", "heatmap", self.weight)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Paf:
    """Mean square over all cells of the known part-affinity fields.

    Source: OpenPose, arXiv:1611.08050. Differs: the mean where the paper has the sum.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["paf"]] = "paf"

    needs = frozenset({"paf"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return MseLoss("paf", "paf", self.weight)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Coarse:
    """Mean square over all cells of the known maps of wider Gaussians, in addition to a loss on the finest.

    Source: CPN, arXiv:1711.07319; MSPN, arXiv:1901.00148. Differs: as `Mse`.
    """

    weight: float = Field(default=0.25, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["coarse"]] = "coarse"

    needs = frozenset({"coarse"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return MseLoss("coarse", "coarse", self.weight)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Volume:
    """Mean square over the known volumes, in addition to a loss on ``heatmap`` for points without depth.

    With the weight of `Mse` no depths are learned beside it: the mean is over all layers, most of them empty, so that a
    peak in the wrong layer costs little (`posekit study mixed-3d`).

    Source: Pavlakos et al. 2017, arXiv:1611.07828. Differs: as `Mse`.
    """

    weight: float = Field(default=64.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["volume"]] = "volume"

    needs = frozenset({"volume"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return MseLoss("volume", "volume", self.weight)


class MseLoss(nn.Module):
    """See `Mse`; ``maps`` is the name of the maps to compare."""

    def __init__(self, name: str, maps: str, factor: float) -> None:
        super().__init__()
        self.name, self.maps, self.factor = name, maps, factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """One term under the name of the loss."""
        weight = target.weight[self.maps]
        squares = map_squares(output[self.maps], target.maps[self.maps], weight)
        return {self.name: self.factor * weighted_mean(squares, weight[..., 0, 0])}


class CellsLoss(nn.Module):
    """See `Mse` with ``each_cell``."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``mse``."""
        weight = target.weight["heatmap"]
        squares = known(output["heatmap"] - target.maps["heatmap"], weight).square()
        return {"mse": self.factor * (squares * weight).mean()}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ohkm:
    """Online hard keypoint mining (OHKM): mean square over the maps of the hardest points of each image.

    Source: CPN, arXiv:1711.07319. Differs: unknown points are never among the hardest.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    hardest: Annotated[int, Field(ge=1)] | None = None
    "points of each image that are used; unset: 8 of 17, or the same fraction of another number"
    kind: Suppress[Literal["ohkm"]] = "ohkm"

    needs = frozenset({"heatmap"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters.

        Raises:
            ValueError: ``hardest`` is more than the skeleton's points.
        """
        points = len(skeleton.points)
        hardest = max(1, round(points * 8 / 17)) if self.hardest is None else self.hardest
        if hardest > points:
            raise ValueError(
                f"ohkm wants the {hardest} hardest points and {skeleton.name!r} has {points}: use at most that"
            )
        return OhkmLoss(self.weight, hardest)


class OhkmLoss(nn.Module):
    """See `Ohkm`."""

    def __init__(self, factor: float, hardest: int) -> None:
        super().__init__()
        self.factor, self.hardest = factor, hardest

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``ohkm``."""
        weight = target.weight["heatmap"]
        squares = map_squares(output["heatmap"], target.maps["heatmap"], weight) * weight[..., 0, 0]
        worst, at = squares.topk(self.hardest, dim=1)
        counted = (weight[..., 0, 0].gather(1, at) > 0).to(worst.dtype)
        return {"ohkm": self.factor * weighted_mean(worst, counted)}
