"""Losses on bones: their lengths and directions."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean

TINY = 1e-12
"""Square pixels added under the root, so that a bone of no length has a gradient."""


def lengths(vectors: Tensor) -> Tensor:
    """(..., 2) to (...), with a finite gradient at 0."""
    return (vectors.square().sum(-1) + TINY).sqrt()


def batch_mean(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Distance between the mean bone lengths of a batch, bone by bone; errors of single instances may cancel.

    Args:
        output: (B, N, E) lengths.
        target: (B, N, E) lengths.
        weight: (B, N, E); weights of the means.

    Returns:
        A scalar: the mean over the bones that are known at least once.
    """
    counts = weight.sum((0, 1))
    mean = (known(output - target, weight) * weight).sum((0, 1)) / counts.clamp_min(1e-9)
    return weighted_mean(mean.abs(), (counts > 0).to(mean.dtype))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Bone:
    """Distance between the bones of the output and those of the truth.

    A bone is used where both its ends are known. ``length`` compares the lengths of each instance; ``vector`` the
    bones' x and y; ``batch_mean`` the mean lengths over the batch of one process, where errors of opposite sign cancel.

    Source: vector: compositional pose regression, arXiv:1704.00159; batch_mean: VideoPose3D, arXiv:1811.11742.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    variant: Literal["length", "vector", "batch_mean"] = "length"
    "what is compared: each length, each vector, or the mean length of each bone over the batch"
    scale: float = Field(default=1.0, gt=0)
    """image pixels that give a loss of 1; beside a loss in other units, such as dsnt, take about half the image's side,
    or the points shrink to one"""
    kind: Suppress[Literal["bone"]] = "bone"

    needs = frozenset({"xy"})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters.

        Raises:
            ValueError: the skeleton has no bones.
        """
        if not skeleton.edges:
            raise ValueError(
                f"loss 'bone' needs bones and skeleton {skeleton.name!r} has none: give them in the label file "
                "(COCO: 'skeleton' of the category), choose --data.skeleton, or leave the loss out"
            )
        return BoneLoss(self, skeleton.edges)


class BoneLoss(nn.Module):
    """See `Bone`."""

    starts: Tensor
    ends: Tensor

    def __init__(self, config: Bone, edges: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.config = config
        starts, ends = torch.tensor(edges).unbind(-1)
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("ends", ends, persistent=False)

    def vectors(self, xy: Tensor) -> Tensor:
        """Bones of points, from start to end: (B, N, K, 2) to (B, N, E, 2)."""
        return xy.index_select(-2, self.ends) - xy.index_select(-2, self.starts)

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``bone``."""
        weight = target.weight["xy"]
        both = weight.index_select(-2, self.ends) * weight.index_select(-2, self.starts)
        bones, truth = (self.vectors(known(xy, weight)) for xy in (output["xy"], target.maps["xy"]))
        if self.config.variant == "vector":
            value = weighted_mean((bones - truth).abs(), both)
        elif self.config.variant == "length":
            value = weighted_mean((lengths(bones) - lengths(truth)).abs(), both[..., 0])
        else:
            value = batch_mean(lengths(bones), lengths(truth), both[..., 0])
        return {"bone": self.config.weight / self.config.scale * value}
