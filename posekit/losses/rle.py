"""Residual log-likelihood estimation (RLE): likelihood of the labels under the predicted location and spread."""

import math
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
from posekit.losses.flow import MASKS_3D, RealNvp

SMALLEST = math.log(1e-6)
"""Logarithm of the smallest spread; smaller ones are raised to it."""


def basic_nll(error: Tensor, log_sigma: Tensor, residual: str, official: bool = False) -> Tensor:
    """``-log Q``: negative logarithm of the simple density that the flow corrects.

    Args:
        error: (...) ``(output - target) / sigma``.
        log_sigma: (...) logarithm of ``sigma``.
        residual: ``"laplace"`` or ``"gaussian"``.
        official: the Laplace constants of the authors' code, ``sqrt(2 pi)`` and ``sqrt(2)`` for 2 and 1.

    Returns:
        (...).
    """
    if residual == "gaussian":
        return log_sigma + 0.5 * math.log(2 * math.pi) + 0.5 * error.square()
    if official:
        return log_sigma + 0.5 * math.log(2 * math.pi) + error.abs() / math.sqrt(2)
    return log_sigma + math.log(2) + error.abs()


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RleNll:
    """Negative log-likelihood with a learned residual density, summed over x and y, averaged over known points.

    Source: Li et al. 2021, arXiv:2107.11291. Differs: the sum is divided by the known points, not by
    the batch; the spread is bounded below by 1e-6 instead of adding 1e-9.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    residual: Literal["laplace", "gaussian"] = "laplace"
    "the simple density that the flow corrects"
    log_sigma_terms: Literal[1, 2] = 2
    "how many times log sigma is added: 2 as in the published code, 1 as in the derivation"
    compat: Literal["none", "official"] = "none"
    "official uses the Laplace constants of the authors' code"
    kind: Suppress[Literal["rle"]] = "rle"

    needs = frozenset({"coords", "sigma"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with the flow's 53,784 parameters."""
        return RleModule(self)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RleNll3d(RleNll):
    """`RleNll` with depths: points with a known depth train a density of three axes, the others one of two.

    Source: Li et al. 2021, arXiv:2107.11291, and its code for mixed 2-D and 3-D data. Differs: as `RleNll`.
    """

    kind: Suppress[Literal["rle3d"]] = "rle3d"  # type: ignore[assignment]

    needs = frozenset({"coords", "sigma", "depth", "depth_sigma"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module, with a flow of two axes and one of three."""
        return Rle3dModule(self)


class RleModule(nn.Module):
    """See `RleNll`."""

    def __init__(self, config: RleNll) -> None:
        super().__init__()
        self.config = config
        self.flow = RealNvp()

    def unreduced(self, coords: Tensor, sigma: Tensor, target: Tensor, flow: RealNvp | None = None) -> Tensor:
        """Negative log-likelihood of each point.

        Args:
            coords: (..., axes).
            sigma: (..., axes) raw.
            target: (..., axes).
            flow: of as many axes; ``None``: the flow of two axes.

        Returns:
            (...), summed over the axes; the flow's density, one number for each point, is added once for each axis, as
            published.
        """
        log_sigma = F.logsigmoid(sigma).clamp_min(SMALLEST)
        error = (coords - target) / log_sigma.exp()
        nll = basic_nll(error, log_sigma, self.config.residual, self.config.compat == "official")
        nll = nll - (flow or self.flow)(error)[..., None]
        if self.config.log_sigma_terms == 2:
            nll = nll + log_sigma
        total: Tensor = nll.sum(-1)
        return total

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``rle``."""
        weight = target.weight["coords"]
        coords, sigma = known(output["coords"], weight), known(output["sigma"], weight)
        nll = self.unreduced(coords, sigma, known(target.maps["coords"], weight))
        return {"rle": self.config.weight * weighted_mean(nll, weight[..., 0])}


class Rle3dModule(RleModule):
    """See `RleNll3d`."""

    def __init__(self, config: RleNll3d) -> None:
        super().__init__(config)
        self.deep_flow = RealNvp(MASKS_3D)

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``rle3d``: one mean over all known points, whether their depth is known or not."""
        weight, deep = target.weight["coords"], target.weight["depth"]
        flat = [known(maps, weight) for maps in (output["coords"], output["sigma"], target.maps["coords"])]
        third = [known(maps, deep) for maps in (output["depth"], output["depth_sigma"], target.maps["depth"])]
        plain = self.unreduced(flat[0], flat[1], flat[2])
        coords, sigma, truth = (torch.cat(pair, -1) for pair in zip(flat, third, strict=True))
        solid = self.unreduced(coords, sigma, truth, self.deep_flow)
        nll = torch.where(deep[..., 0] > 0, solid, plain)
        return {"rle3d": self.config.weight * weighted_mean(nll, weight[..., 0])}
