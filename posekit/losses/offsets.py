"""Loss of the steps from cells to points, where there are points."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Offset:
    """Mean distance along the axes between steps, over the cells that hold one; in the units of the codec.

    Source: CenterNet, arXiv:1904.07850.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["offset"]] = "offset"

    needs = frozenset({"offset"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return OffsetLoss(self.weight)


class OffsetLoss(nn.Module):
    """See `Offset`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``offset``."""
        weight = target.weight["offset"]
        distance = known(output["offset"] - target.maps["offset"], weight).abs()
        return {"offset": self.factor * weighted_mean(distance, weight)}
