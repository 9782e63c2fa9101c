"""Overlap of boxes, and the loss of what a place says about the box around it."""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import known, weighted_mean

TINY = 1e-9
"""Square pixels that areas are divided by at least."""


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Common area of two boxes over that of both together.

    Args:
        one: (..., 4) x0 y0 x1 y1, continuous; without extent where the second corner is not beyond the first.
        other: broadcasts.

    Returns:
        (...) in [0, 1]; 0 where neither has an area.
    """
    common, union, _ = _areas(one, other)
    return common / union.clamp_min(TINY)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """`iou`, less the share of the smallest box around both that neither covers; boxes apart still feel each other.

    Args:
        one: (..., 4) as in `iou`.
        other: broadcasts.

    Returns:
        (...) in [-1, 1].

    Source: Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    common, union, around = _areas(one, other)
    return common / union.clamp_min(TINY) - (around - union) / around.clamp_min(TINY)


def _areas(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas of what two boxes share, of both together, and of the smallest box around them."""
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    least, most = torch.minimum(one[..., :2], other[..., :2]), torch.maximum(one[..., 2:], other[..., 2:])
    common = (high - low).clamp_min(0.0).prod(-1)
    own, others = ((box[..., 2:] - box[..., :2]).clamp_min(0.0).prod(-1) for box in (one, other))
    return common, own + others - common, (most - least).clamp_min(0.0).prod(-1)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Giou:
    """``1 - giou`` of boxes around the same place, told by the distances to their sides.

    The mean is over the cells that see a box, weighted as the codec says (FCOS: by centre-ness).

    Source: Rezatofighi et al. 2019, arXiv:1902.09630; in FCOS, arXiv:2006.09214.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    of: Suppress[str] = "box"
    "which of the codec's maps"
    kind: Suppress[Literal["giou"]] = "giou"

    @property
    def needs(self) -> frozenset[str]:
        """The one map it looks at."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return GiouLoss(self.weight, self.of)


class GiouLoss(nn.Module):
    """See `Giou`; several boxes a place, four channels each, count alike."""

    def __init__(self, factor: float, of: str = "box") -> None:
        super().__init__()
        self.factor, self.of = factor, of

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``giou``."""
        weight = target.weight[self.of]
        said, truth = (_corners(known(maps[self.of], weight)) for maps in (output, target.maps))
        weight = weight.unflatten(1, (-1, 4))[:, :, 0] if weight.shape[1] == 4 * said.shape[1] else weight
        return {"giou": self.factor * weighted_mean(1 - giou(said, truth), weight)}


def _corners(sides: Tensor) -> Tensor:
    """(B, 4 n, ...) distances to left, upper, right and lower side to (B, n, ..., 4) corners about the place."""
    low, high = sides.unflatten(1, (-1, 4)).movedim(2, -1).split(2, -1)
    return torch.cat((-low, high), -1)
