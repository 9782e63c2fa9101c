"""A loss on depths relative to the root, for the points whose depth is known."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Depth:
    """Mean absolute error of the depths, in hundredths of the codec's depth range: about the size of errors in pixels.

    Points without a known depth have weight 0; a batch may mix both.

    Source: Sun et al. 2018, arXiv:1711.08229, section 2.3, for mixing data with and without depth.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["depth"]] = "depth"

    needs = frozenset({"depth"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return DepthLoss(self.weight)


class DepthLoss(nn.Module):
    """See `Depth`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``depth``."""
        weight = target.weight["depth"]
        distance = 100 * known(output["depth"] - target.maps["depth"], weight).abs()
        return {"depth": self.factor * weighted_mean(distance, weight)}
