"""The loss of UDP's combined representation: a disc around each point and offsets within it."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import weighted_mean
from posekit.losses.heatmaps import map_squares


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Combined:
    """Sum of half the mean squares of the disc, and of the offsets along x and y inside the target's disc.

    The means of the offsets are taken over all cells of the map, as published, though only cells in the disc
    contribute.

    Source: UDP, arXiv:1911.07524, after arXiv:1701.01779. Differs: the mean over points is over the known ones.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    offsets: float = Field(default=1.0, ge=0)
    "factor of the offsets relative to the disc"
    kind: Suppress[Literal["combined"]] = "combined"

    needs = frozenset({"disc", "offset"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return CombinedLoss(self.weight, self.offsets)


class CombinedLoss(nn.Module):
    """See `Combined`."""

    def __init__(self, factor: float, offsets: float) -> None:
        super().__init__()
        self.factor, self.offsets = factor, offsets

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``combined`` (the disc's term) and ``offset``."""
        weight = target.weight["disc"]
        disc = map_squares(output["disc"], target.maps["disc"], weight)
        # The weight of an offset is the target's disc, so cells outside contribute 0.
        channels = map_squares(output["offset"], target.maps["offset"], target.weight["offset"])
        offset = channels.reshape(len(channels), -1, 2).sum(-1)
        half, counted = 0.5 * self.factor, weight[..., 0, 0]
        return {
            "combined": half * weighted_mean(disc, counted),
            "offset": half * self.offsets * weighted_mean(offset, counted),
        }
