"""What the networks of a cascade of detectors learn from: whether a window is a face, its box, its points.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878, section III.C. Differs: each term is the mean over the windows it
counts for, and of points where some are labelled, so that its size does not depend on how a batch is mixed.
"""

from __future__ import annotations

from dataclasses import dataclass as plain

import torch
import torch.nn.functional as F
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.codecs.base import Maps
from posekit.losses.base import known, weighted_mean


@plain(frozen=True, slots=True, eq=False)
class Wanted:
    """What should be said of a batch of windows, and where that counts: 1 where it does, else 0.

    Args:
        face: (B,) 1 a face, 0 none.
        face_known: (B,).
        box: (B, 4) moves of the four sides, as the cascade applies them.
        box_known: (B,).
        points: (B, K, 2) fractions of the window.
        points_known: (B, K).
    """

    face: Tensor
    face_known: Tensor
    box: Tensor
    box_known: Tensor
    points: Tensor
    points_known: Tensor


def face_loss(logits: Tensor, face: Tensor) -> Tensor:
    """Cross-entropy of two logits (B, 2), the second "a face", with the truth (B,); unreduced, (B,)."""
    return F.cross_entropy(logits, face.long(), reduction="none")


def squared_length(difference: Tensor) -> Tensor:
    """Sum of squares over the last axis; unreduced."""
    return difference.square().sum(-1)


def hardest(loss: Tensor, counts: Tensor, share: float) -> Tensor:
    """Choose the windows that a batch is wrong about most.

    Args:
        loss: (B,) of each window; anything where it does not count.
        counts: (B,) 1 or 0.
        share: of those that count, rounded up to whole windows; 1 keeps all.

    Returns:
        (B,) 1 for the ``share`` with the highest losses, of equal losses those given first; 0 for the others and where
        nothing counts. It carries no gradient.
    """
    counted = counts > 0
    order = torch.where(counted, loss.detach(), -torch.inf).argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    # The small step back: 0.7 times 10 is 7, not the 8 that rounding up a number a little above 7 would give.
    return ((rank < share * counted.sum() - 1e-3) & counted).to(loss.dtype)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CascadeLoss:
    """The three terms and their factors."""

    face: float = Field(default=1.0, ge=0)
    "factor of the cross-entropy"
    box: float = Field(default=0.5, ge=0)
    "factor of the squared distance of the four sides"
    points: float = Field(default=0.5, ge=0)
    "factor of the squared distance of all points"
    hard: float = Field(default=0.7, gt=0.01, le=1)
    "share of the windows in a batch, those with the highest cross-entropy, from which faces are learnt"

    def build(self) -> nn.Module:
        """The module; it has no parameters."""
        return _Terms(self)


STAGES = {"proposal": CascadeLoss(), "refinement": CascadeLoss(), "output": CascadeLoss(points=1.0)}
"""The published factors of each network."""


class _Terms(nn.Module):
    def __init__(self, config: CascadeLoss) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Maps, wanted: Wanted) -> dict[str, Tensor]:
        """Named scalars of maps ``face`` (B, 2), ``box`` (B, 4) and ``points`` (B, K, 2)."""
        face = face_loss(known(output["face"], wanted.face_known[:, None]), wanted.face)
        box = squared_length(known(output["box"] - wanted.box, wanted.box_known[:, None]))
        points = squared_length(known(output["points"] - wanted.points, wanted.points_known[..., None]))
        hard = hardest(face, wanted.face_known, self.config.hard)
        return {
            "face": self.config.face * weighted_mean(face, hard),
            "box": self.config.box * weighted_mean(box, wanted.box_known),
            # The published sum over the points of a window, whose mean over labelled points is this over K.
            "points": self.config.points * points.shape[1] * weighted_mean(points, wanted.points_known),
        }
