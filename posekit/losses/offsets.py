"""L1 loss of the offsets from cells to points."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean
from posekit.losses.points import smooth_l1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Offset:
    """Mean absolute error of offsets along the axes, over the cells that hold one; in the units of the codec.

    Source: CenterNet, arXiv:1904.07850. DEKR, arXiv:2104.02300, whose weights are far below 1, divides by the number of
    non-zero weights: ``mean="counted"``.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    smooth: float = Field(default=0.0, ge=0)
    "smooth L1: errors below it are squared; 0: plain L1"
    mean: Literal["weighted", "counted"] = "weighted"
    "divisor of the weighted sum: the sum of the weights, or the number of weights that are not 0"
    of: Suppress[str] = "offset"
    "name of the codec's map to compare"
    kind: Suppress[Literal["offset"]] = "offset"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return OffsetLoss(self.weight, self.smooth, self.of, self.mean == "counted")


class OffsetLoss(nn.Module):
    """See `Offset`."""

    def __init__(self, factor: float, smooth: float = 0.0, of: str = "offset", counted: bool = False) -> None:
        super().__init__()
        self.factor, self.smooth, self.of, self.counted = factor, smooth, of, counted

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``offset``."""
        weight = target.weight[self.of]
        distance = known(output[self.of] - target.maps[self.of], weight).abs()
        loss = smooth_l1(distance, self.smooth) if self.smooth else distance
        mean = weighted_mean(loss, weight)
        if self.counted:
            mean = mean * weighted_mean(weight, (weight > 0).to(weight.dtype))
        return {"offset": self.factor * mean}
