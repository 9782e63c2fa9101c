"""Windows of images that may hold something: scored, thinned out, moved, cut to the image.

Boxes are x0 y0 x1 y1 in continuous image pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

BLOCK = 1024
"""Boxes that are held against all others at once; bounds the memory."""

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
        """Those that no better one of their image hides, the best first; see `unhidden`.

        Args:
            most: overlap.
            over: see `overlap`.
            inset: pixels that are left out at the left and the top of each box when it is held against others.
        """
        boxes = self.boxes + self.boxes.new_tensor([inset, inset, 0, 0])
        return self[unhidden(boxes, self.score, self.image, most, over)]


def overlap(a: Tensor, b: Tensor, over: Over) -> Tensor:
    """How much of two boxes is common, each of ``a`` (N, 4) with each of ``b`` (M, 4).

    Args:
        a: boxes.
        b: boxes.
        over: what the common area is divided by: ``union``, or the area of the ``smaller`` one, by which a small box
            inside a large one overlaps wholly.

    Returns:
        (N, M) in [0, 1]; 0 where a box has no area.
    """
    common = (torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])).clamp(min=0).prod(-1)
    first, second = ((box[:, 2:] - box[:, :2]).clamp(min=0).prod(-1) for box in (a, b))
    whole = torch.minimum(first[:, None], second) if over == "smaller" else first[:, None] + second - common
    return torch.where(whole > 0, common / whole.clamp(min=1e-12), 0.0)


def unhidden(boxes: Tensor, score: Tensor, group: Tensor, most: float, over: Over = "union") -> Tensor:
    """Greedy non-maximum suppression, group by group.

    The box with the highest score stays and hides those that overlap it by more than ``most``; then the best of the
    others, and so on.

    Args:
        boxes: (N, 4).
        score: (N,).
        group: (N,) integers; boxes of different groups do not meet.
        most: overlap that hides nothing yet.
        over: see `overlap`.

    Returns:
        Numbers of the boxes that stay, by falling score; of equal scores the one given first.
    """
    order = score.argsort(descending=True, stable=True)
    boxes, group = boxes[order], group[order]
    stays = torch.ones_like(order, dtype=torch.bool)
    for start in range(0, len(order), BLOCK):
        mine = slice(start, start + BLOCK)
        hides = (overlap(boxes[mine], boxes[start:], over) > most) & (group[mine, None] == group[start:])
        inside, behind = hides[:, : len(hides)], hides[:, len(hides) :]
        stays[mine] = _settled(stays[mine], inside.triu(1))
        stays[start + BLOCK :] &= ~(behind & stays[mine, None]).any(0)
    return order[stays]


def _settled(stays: Tensor, hides: Tensor) -> Tensor:
    """Who stays of a block, best first: not hidden by one who stays.

    Each round settles at least one more box, the best that is unsettled, and most blocks take a handful of rounds; the
    answer is that of going through them one by one.
    """
    before, now = torch.zeros_like(stays), stays
    while not torch.equal(before, now):
        before, now = now, stays & ~(hides & now[:, None]).any(0)
    return now


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
