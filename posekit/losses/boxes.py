"""IoU of boxes, and the GIoU loss of predicted distances to the sides of a box."""

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
"""Lower limit of an area in a denominator, square pixels."""


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes.

    Args:
        one: (..., 4) x0 y0 x1 y1, continuous; empty where the second corner is not beyond the first.
        other: broadcasts.

    Returns:
        (...) in [0, 1]; 0 where neither has an area.
    """
    common, union, _ = _areas(one, other)
    return common / union.clamp_min(TINY)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised IoU: `iou` minus the fraction of the smallest enclosing box that neither covers.

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
    """Areas of the intersection, the union, and the smallest enclosing box."""
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    least, most = torch.minimum(one[..., :2], other[..., :2]), torch.maximum(one[..., 2:], other[..., 2:])
    common = (high - low).clamp_min(0.0).prod(-1)
    own, others = ((box[..., 2:] - box[..., :2]).clamp_min(0.0).prod(-1) for box in (one, other))
    return common, own + others - common, (most - least).clamp_min(0.0).prod(-1)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Giou:
    """``1 - giou`` of two boxes around the same location, given by the distances to their sides.

    The mean is over the cells assigned to a box, with the codec's weights (FCOS: centre-ness).

    Source: Rezatofighi et al. 2019, arXiv:1902.09630; in FCOS, arXiv:2006.09214.
    """

    weight: float = Field(default=1.0, ge=0)
    "factor of this loss"
    of: Suppress[str] = "box"
    "name of the codec's map to compare"
    kind: Suppress[Literal["giou"]] = "giou"

    @property
    def needs(self) -> frozenset[str]:
        """The one map that this loss compares."""
        return frozenset({self.of})

    def build(self, skeleton: Skeleton) -> nn.Module:
        """The module; it has no parameters."""
        return GiouLoss(self.weight, self.of)


class GiouLoss(nn.Module):
    """See `Giou`; several boxes at a location, four channels each, have equal weight."""

    def __init__(self, factor: float, of: str = "box") -> None:
        super().__init__()
        self.factor, self.of = factor, of

    def forward(self, output: Maps, target: Target) -> dict[str, Tensor]:
        """``giou``."""
        weight = target.weight[self.of]
        predicted, truth = (_corners(known(maps[self.of], weight)) for maps in (output, target.maps))
        weight = weight.unflatten(1, (-1, 4))[:, :, 0] if weight.shape[1] == 4 * predicted.shape[1] else weight
        return {"giou": self.factor * weighted_mean(1 - giou(predicted, truth), weight)}


def _corners(sides: Tensor) -> Tensor:
    """(B, 4 n, ...) distances to left, upper, right and lower side to (B, n, ..., 4) corners around (0, 0)."""
    low, high = sides.unflatten(1, (-1, 4)).movedim(2, -1).split(2, -1)
    return torch.cat((-low, high), -1)
