"""Losses of the networks in MTCNN's cascade: whether a window is a face, its box, its points.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878, section III.C. Differs: each term is the mean over the windows with
labels for it, so that its size does not depend on the mixture of a batch.
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
    """Targets of a batch of windows; the ``_known`` fields are weights, 1 or 0.

    Args:
        face: (B,) 1 for a face, else 0.
        face_known: (B,).
        box: (B, 4) shifts of the four sides, as the cascade applies them.
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
    """Online hard sample mining: select the windows with the highest losses.

    Args:
        loss: (B,) of each window; may be anything where ``counts`` is 0.
        counts: (B,) 1 for windows that take part, else 0.
        share: fraction of these to keep, rounded up to whole windows; 1 keeps all.

    Returns:
        (B,) 1 for the ``share`` with the highest losses, of equal losses the first ones; 0 for the others. It has no
        gradient.
    """
    counted = counts > 0
    order = torch.where(counted, loss.detach(), -torch.inf).argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    # The small subtraction: 0.7 * 10 is a little above 7 in floating point and must give 7, not 8.
    return ((rank < share * counted.sum() - 1e-3) & counted).to(loss.dtype)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CascadeLoss:
    """The three loss terms and their factors."""

    face: float = Field(default=1.0, ge=0)
    "factor of the cross-entropy of face or not"
    box: float = Field(default=0.5, ge=0)
    "factor of the squared distance of the four sides"
    points: float = Field(default=0.5, ge=0)
    "factor of the squared distance of all points"
    hard: float = Field(default=0.7, gt=0.01, le=1)
    "online hard sample mining: fraction of the windows, those with the highest cross-entropy, that train the face term"

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
            # Mean over labelled points, times K: the published sum over the points of a window.
            "points": self.config.points * points.shape[1] * weighted_mean(points, wanted.points_known),
        }
