"""Windows of images that may hold something: scored, thinned out, moved, cut to the image.

Boxes are x0 y0 x1 y1 in continuous image pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from posekit.postprocess.nms import box_nms

Over = Literal["union", "smaller"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a batch of images, and what a network says of them.

    Args:
        boxes: (N, 4).
        score: (N,) in [0, 1].
        image: (N,) number of the image in the batch.
        moves: (N, 4) how far each side is off, as a fraction of width or height.
        points: (N, K, 2) x, y as fractions of the window.
    """

    boxes: Tensor
    score: Tensor
    image: Tensor
    moves: Tensor
    points: Tensor

    def __getitem__(self, chosen: Tensor) -> Windows:
        return Windows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def none(cls, device: torch.device) -> Windows:
        """No windows, of no points."""
        number = torch.zeros(0, dtype=torch.long, device=device)
        boxes = torch.zeros(0, 4, device=device)
        return cls(boxes, boxes[:, 0], number, boxes, boxes.unflatten(1, (2, 2))[:, :0])

    @classmethod
    def joined(cls, parts: Sequence[Windows]) -> Windows:
        """All windows of all parts."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def thinned(self, most: float, over: Over = "union", inset: float = 0.0) -> Windows:
        """Those that no better one of their image hides, the best first; of equal scores the one given first.

        Args:
            most: overlap that hides nothing yet.
            over: see `box_nms`. Its boxes are continuous, where published code counts pixels "+ 1"; ours are moved by
                that one pixel already.
            inset: pixels that are left out at the left and the top of each box when it is held against others.
        """
        boxes = self.boxes + self.boxes.new_tensor([inset, inset, 0, 0])
        corners, score, image = (tensor.detach().cpu().numpy() for tensor in (boxes, self.score, self.image))
        stays = box_nms(corners, score, threshold=most, over=over, category=image)
        return self[torch.from_numpy(stays).to(self.boxes.device)]


def squared(boxes: Tensor) -> Tensor:
    """Squares about the same centres, as large as the longer side; (N, 4)."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def moved(boxes: Tensor, moves: Tensor, shorter: float = 0.0) -> Tensor:
    """Boxes with their sides put right; (N, 4).

    Args:
        boxes: (N, 4).
        moves: (N, 4) of each side, as a fraction of width or height.
        shorter: pixels that are taken off width and height before.
    """
    return boxes + moves * (boxes[:, 2:] - boxes[:, :2] - shorter).repeat(1, 2)


def placed(points: Tensor, boxes: Tensor) -> Tensor:
    """Points (N, K, 2) given as fractions of their boxes (N, 4), in image pixels."""
    return boxes[:, None, :2] + points * (boxes[:, 2:] - boxes[:, :2])[:, None]


def pixels_of(boxes: Tensor, height: int, width: int) -> Tensor:
    """Whole pixels of the image in a box: (N, 4) integers, rounded down; empty where the box is outside."""
    low = boxes[:, :2].floor().clamp(min=0)
    high = torch.minimum(boxes[:, 2:].floor(), boxes.new_tensor([width, height]))
    return torch.cat([low, high], 1).long()
