"""Losses between distributions: of DSNT's maps, of SimCC's bins, and the distribution focal loss."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean

TINY = 1e-24
"""Added to probabilities before the logarithm."""


def kl(p: Tensor, q: Tensor) -> Tensor:
    """Kullback-Leibler divergence of ``q`` from ``p`` over the last two axes, in nats: (B, K, H, W) to (B, K)."""
    return (p * ((p + TINY).log() - (q + TINY).log())).sum((-2, -1))


def js(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence over the last two axes: symmetric, from 0 to ln 2; (B, K, H, W) to (B, K)."""
    middle = 0.5 * (p + q)
    # The three entropies cell by cell: one logarithm for each, and no cancellation of large sums.
    return (0.5 * (_plogp(p) + _plogp(q)) - _plogp(middle)).sum((-2, -1))


def _plogp(p: Tensor) -> Tensor:
    return p * (p + TINY).log()


def variance_squares(output: Tensor, target: Tensor) -> Tensor:
    """Squared error of the variances, summed over x and y: (B, K, 2) to (B, K).

    Source: DSNT, arXiv:1801.07372, section 3.3.1; in cells squared as in the authors' code; the paper uses units of
    -1..1.
    """
    return (output - target).square().sum(-1)


def kl_bins(logits: Tensor, target: Tensor) -> Tensor:
    """Divergence of ``softmax(logits)`` from a target over the last axis, summed over bins: (B, K, bins) to (B, K).

    Minimal where the softmax equals the normalised target; its gradient is ``sum(target) * softmax - target``.
    """
    return (torch.xlogy(target, target) - target * logits.log_softmax(-1)).sum(-1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """``-sum(target * log softmax(logits))`` over the last axis: (B, K, bins) to (B, K)."""
    return -(target * logits.log_softmax(-1)).sum(-1)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DsntLoss:
    """DSNT loss: Euclidean distance of the means in units of -1..1, and a regulariser of the map's shape.

    The codec's ``sigma`` gives the target shape.

    Source: Nibali et al. 2018, arXiv:1801.07372, eq. 5 to 8.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    regulariser: Literal["none", "variance", "kl", "js"] = "js"
    "regulariser of the map's shape: none, on its variance, or on its divergence from a Gaussian"
    strength: float = Field(default=1.0, ge=0)
    "factor of the regulariser relative to the distance"
    kind: Suppress[Literal["dsnt"]] = "dsnt"

    needs = frozenset({"coords", "probability", "variance"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return DsntModule(self.weight, self.regulariser, self.strength)


class DsntModule(nn.Module):
    """See `DsntLoss`."""

    def __init__(self, factor: float, regulariser: str, strength: float) -> None:
        super().__init__()
        self.factor, self.regulariser, self.strength = factor, regulariser, strength

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``dsnt`` (the distance), and the regulariser under its own name."""
        weight = target.weight["coords"]
        offset = known(output["coords"] - target.maps["coords"], weight)
        terms = {"dsnt": self.factor * weighted_mean(torch.linalg.vector_norm(offset, dim=-1), weight[..., 0])}
        if self.regulariser != "none":
            shape = self._shape(output, target)
            terms[self.regulariser] = self.factor * self.strength * weighted_mean(shape, weight[..., 0])
        return terms

    def _shape(self, output: Maps, target: Target) -> Tensor:
        """(B, K)."""
        name = "variance" if self.regulariser == "variance" else "probability"
        weight = target.weight[name]
        p, q = known(output[name], weight), known(target.maps[name], weight)
        if self.regulariser == "variance":
            return variance_squares(p, q)
        return kl(p, q) if self.regulariser == "kl" else js(p, q)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SimccKl:
    """KL divergence of the bins from their target, summed over bins and axes, averaged over known points.

    Source: SimCC, arXiv:2107.03332. The authors' two implementations and MMPose scale it differently (mean over bins;
    sum over points; no division by the batch); this is the mean divergence of a point.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["simcc"]] = "simcc"

    needs = frozenset({"x", "y"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return SimccModule(self.weight)


class SimccModule(nn.Module):
    """See `SimccKl`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``simcc``."""
        total = output["x"].new_zeros(())
        # The depth is an axis like the others, but known for fewer points.
        for name in (axis for axis in "xyz" if axis in target.maps):
            weight = target.weight[name]
            divergence = kl_bins(known(output[name], weight), known(target.maps[name], weight))
            total = total + weighted_mean(divergence, weight[..., 0])
        return {"simcc": self.factor * total}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Divergence:
    """Divergence of the distribution of a map from the Gaussian around its point, in nats.

    Source: DSNT, arXiv:1801.07372, section 3.3.2 (Jensen-Shannon).
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    form: Literal["js", "kl"] = "js"
    "js: Jensen-Shannon, symmetric and at most ln 2; kl: Kullback-Leibler divergence of the target from the output"
    kind: Suppress[Literal["divergence"]] = "divergence"

    needs = frozenset({"probability"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return DivergenceLoss(self.weight, self.form)


class DivergenceLoss(nn.Module):
    """See `Divergence`."""

    def __init__(self, factor: float, form: str) -> None:
        super().__init__()
        self.factor, self.form = factor, form

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``divergence``."""
        weight = target.weight["probability"]
        p, q = known(output["probability"], weight), known(target.maps["probability"], weight)
        value = kl(p, q) if self.form == "kl" else js(p, q)
        return {"divergence": self.factor * weighted_mean(value, weight[..., 0, 0])}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Dfl:
    """Distribution focal loss: the cross-entropy of the two bins around the truth, averaged over known points.

    The axes are summed, including depth where the codec has it. The minimum is the entropy of the two bins, not 0.

    Source: Generalized Focal Loss, arXiv:2006.04388, whose authors give it the weight 0.25.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    kind: Suppress[Literal["dfl"]] = "dfl"

    needs = frozenset({"dfl_x", "dfl_y"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return DflLoss(self.weight)


class DflLoss(nn.Module):
    """See `Dfl`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``dfl``."""
        total = output["dfl_x"].new_zeros(())
        for name in ("dfl_x", "dfl_y", "dfl_z"):
            if name in output and name in target.maps:
                weight = target.weight[name]
                logits, truth = known(output[name], weight), known(target.maps[name], weight)
                total = total + weighted_mean(cross_entropy(logits, truth), weight[..., 0])
        return {"dfl": self.factor * total}
