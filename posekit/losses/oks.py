"""Object keypoint similarity (OKS) as a loss: errors relative to the instance's size and the points' sigmas."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean


def log_oks(squared: Tensor, weight: Tensor, area: Tensor, sigmas: Tensor) -> Tensor:
    """Logarithm of the OKS of each instance.

    Args:
        squared: (..., K) squared distances, square pixels; 0 where unknown.
        weight: (..., K), 0 where unknown.
        area: (...) square pixels, positive.
        sigmas: (K,).

    Returns:
        (...) at most 0; 0 where nothing is known.
    """
    exponent = -squared / (2 * area[..., None] * (2 * sigmas).square())
    nothing = (weight > 0).any(-1, keepdim=True).logical_not()
    counted = torch.where(nothing, 1.0, weight)
    # log-sum-exp keeps its gradient where every term underflows to 0.
    summands = (exponent + counted.clamp_min(1e-30).log()).masked_fill(counted <= 0, -torch.inf)
    return torch.where(nothing[..., 0], 0.0, summands.logsumexp(-1) - counted.sum(-1).log())


def extent_area(xy: Tensor, weight: Tensor, min_side: float) -> Tensor:
    """Square of the larger side of the box around the known points.

    Args:
        xy: (..., K, 2) pixels; any value where unknown.
        weight: (..., K, 1), 0 where unknown.
        min_side: pixels; smaller sides are raised to this.

    Returns:
        (...) square pixels.
    """
    there = weight > 0
    side = torch.where(there, xy, -torch.inf).amax(-2) - torch.where(there, xy, torch.inf).amin(-2)
    return side.amax(-1).clamp_min(min_side).square()


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Oks:
    """How far the OKS of each instance is from 1.

    The sigmas are the skeleton's, 0.05 where none is known. The area is the target's ``area`` where the codec gives it,
    else the square of the larger side of the box around the known points. Far from the target the forms `linear` and
    `square` have almost no gradient: combine them with another loss, such as `l1`.

    Source: YOLO-Pose, arXiv:2204.06806. Differs: averaged over the known points of an instance, then over
    instances; the form ``log`` is computed so that its gradient does not vanish.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    form: Literal["linear", "square", "log"] = "linear"
    "1 - OKS, 1 - OKS squared, or -log OKS"
    min_side: float = Field(default=16.0, gt=0)
    "image pixels; smaller instances are treated as having this side"
    kind: Suppress[Literal["oks"]] = "oks"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return OksLoss(self, skeleton.oks_sigmas)


class OksLoss(nn.Module):
    """See `Oks`."""

    sigmas: Tensor

    def __init__(self, config: Oks, sigmas: tuple[float, ...]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("sigmas", torch.tensor(sigmas), persistent=False)

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``oks``."""
        weight, truth = target.weight["xy"], target.maps["xy"]
        squared = known(output["xy"] - truth, weight).square().sum(-1)
        value = log_oks(squared, weight[..., 0], self._area(target), self.sigmas)
        if self.config.form == "log":
            loss = -value
        else:
            loss = -torch.expm1(value if self.config.form == "linear" else 2 * value)
        there = (weight[..., 0] > 0).any(-1).to(loss.dtype)
        return {"oks": self.config.weight * weighted_mean(loss, there)}

    def _area(self, target: Target) -> Tensor:
        """(B, N), positive."""
        extent = extent_area(target.maps["xy"], target.weight["xy"], self.config.min_side)
        if "area" not in target.maps:
            return extent
        area = target.maps["area"].clamp_min(self.config.min_side**2)
        return torch.where(target.weight["area"] > 0, area, extent)
