"""Helpers of one-stage codecs: batch instances, valid masks, Gaussians of many instances, local maxima."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posekit.codecs.cells import in_bands, outer, sane
from posekit.codecs.ranking import highest_around, top
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import IGNORE, INSTANCE, Instances

SIDES = (2, 1, 0, 3)
"""Order of the left, upper, right and lower side after a flip."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchInstances:
    """The instances of a batch, without values that cannot be trained on.

    Args:
        xy: (B, N, K, 2) image pixels, finite, at least float32.
        known: (B, N, K) bool: labelled, finite, in a slot that holds an instance.
        present: (B, N) bool: the slot holds an instance.
        boxes: (B, N, 4) image pixels, finite; 0 in slots without an instance.
        area: (B, N) square pixels; the box's area where the file gives none.
    """

    xy: Tensor
    known: Tensor
    present: Tensor
    boxes: Tensor
    area: Tensor

    @property
    def size(self) -> Tensor:
        """(B, N, 2) width and height of the boxes, at least 0."""
        return (self.boxes[..., 2:] - self.boxes[..., :2]).clamp_min(0.0)

    @property
    def centre(self) -> Tensor:
        """(B, N, 2) of the boxes."""
        return (self.boxes[..., 2:] + self.boxes[..., :2]) / 2


def batch_instances(instances: Instances, points: int) -> BatchInstances:
    """Read the instances of a batch.

    Args:
        instances: any number of slots an image, torch tensors.
        points: K that the codec was made for.

    Raises:
        ValueError: another number of points.
    """
    xy = instances.keypoints.xy
    if xy.ndim != 4 or xy.shape[2] != points:
        raise ValueError(f"expected xy (B, N, {points}, 2), got {tuple(xy.shape)}: the codec is made for other points")
    xy = xy.to(torch.promote_types(xy.dtype, torch.float32))
    boxes = instances.boxes.to(xy.dtype)
    present = (instances.role == INSTANCE) & boxes.isfinite().all(-1)
    boxes = torch.where(present[..., None], boxes, 0.0)
    finite = xy.isfinite().all(-1)
    size = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0.0)
    area = instances.area.to(xy.dtype)
    return BatchInstances(
        xy=torch.where(finite[..., None], xy, 0.0),
        known=instances.keypoints.labelled & finite & present[..., None],
        present=present,
        boxes=boxes,
        area=torch.where((area > 0) & present, area, size.prod(-1)),
    )


def valid_mask(instances: Instances, grid: Grid) -> Tensor:
    """(B, 1, H, W) valid mask: 0 where a cell's centre lies in a region to ignore, else 1."""
    boxes = instances.boxes
    boxes = boxes.to(torch.promote_types(boxes.dtype, torch.float32))
    x, y = grid.axes(boxes)
    ignored = (instances.role == IGNORE)[..., None]
    columns = ((x >= boxes[..., :1]) & (x <= boxes[..., 2:3]) & ignored).to(boxes.dtype)
    rows = ((y >= boxes[..., 1:2]) & (y <= boxes[..., 3:])).to(boxes.dtype)
    covered = torch.einsum("bnh,bnw->bhw", rows, columns)
    return (covered == 0).to(boxes.dtype)[:, None]


def valid_or_peak(valid: Tensor, maps: Tensor) -> Tensor:
    """(B, C, H, W) weights of maps: the mask ``valid``, and 1 where a map is exactly 1, even in a region to ignore."""
    return ((maps == 1) | (valid > 0)).to(maps.dtype)


def clipped(boxes: Tensor, image: tuple[int, int]) -> Tensor:
    """(..., 4) boxes clipped to an image (height, width), in image pixels."""
    height, width = image
    return torch.minimum(boxes.clamp_min(0.0), boxes.new_tensor((width, height, width, height)))


def max_gaussians(rows: Tensor, columns: Tensor, drawn: Tensor) -> Tensor:
    """Maximum over the instances' Gaussians in each cell.

    Args:
        rows: (B, N, C, H) row factors of the Gaussians.
        columns: (B, N, C, W) column factors.
        drawn: (B, N, C) bool; other Gaussians are 0.

    Returns:
        (B, C, H, W).
    """
    rows = rows * drawn[..., None].to(rows.dtype)
    return in_bands(lambda band: outer(rows[..., band], columns).amax(1), rows.shape[-1], columns.numel())


def local_maxima(maps: Tensor, count: int, window: int = 3, floor: float = 0.0) -> tuple[Tensor, Tensor]:
    """The highest local maxima of each map.

    Args:
        maps: (B, C, H, W); NaN and values below ``floor`` count as ``floor``.
        count: how many; at most the number of cells.
        window: side in cells of the square window in which a local maximum must be highest, odd.
        floor: 0 for maps from 0 to 1, `LOWEST` for logits.

    Returns:
        value (B, C, n), descending, and cell (B, C, n, 2) integer, x before y; equal values in reading order. If there
        are fewer local maxima, the first other cells follow with the value ``floor``.
    """
    value = sane(maps).clamp_min_(floor)
    best, at = top(torch.where(value == highest_around(value, window), value, floor).flatten(2), count)
    return best, torch.stack((at % maps.shape[-1], at // maps.shape[-1]), dim=-1)


def at_cells(maps: Tensor, cell: Tensor) -> Tensor:
    """Read all channels of a map in the given cells: (B, C, H, W) and (B, P, 2) integer to (B, P, C)."""
    number = cell[..., 1] * maps.shape[-1] + cell[..., 0]
    return maps.flatten(2).gather(2, number[:, None].expand(-1, maps.shape[1], -1)).transpose(1, 2)


def scattered(values: Tensor, number: Tensor, kept: Tensor, shape: tuple[int, int]) -> Tensor:
    """Scatter vectors into the cells of a map.

    Args:
        values: (B, n, C).
        number: (B, n) flat indices of the cells.
        kept: (B, n) bool: others are left out; no two kept ones may share a cell.
        shape: (height, width) of the map.

    Returns:
        (B, C, H, W), 0 in other cells.
    """
    cells = shape[0] * shape[1]
    # Entries left out are written to an extra cell behind the last, which is dropped.
    at = torch.where(kept, number, cells)[:, None].expand(-1, values.shape[2], -1)
    maps = values.new_zeros(len(values), values.shape[2], cells + 1).scatter_(2, at, values.transpose(1, 2))
    return maps[..., :-1].reshape(*maps.shape[:2], *shape)


def written(values: Tensor, cell: Tensor, kept: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Write a vector into the cell of each instance.

    Args:
        values: (B, N, C).
        cell: (B, N, 2) whole numbers, x before y.
        kept: (B, N) or (B, N, C) bool: other numbers are not written.
        shape: (height, width) of the map.

    Returns:
        (B, C, H, W) values and weights, 1 where something was written; where two instances share a cell, the last is
        written with all its numbers.
    """
    height, width = shape
    kept = kept[..., None].expand(values.shape) if kept.ndim == 2 else kept
    slots = values.shape[1]
    there = kept.any(-1)
    number = torch.where(there, cell[..., 1] * width + cell[..., 0], float(height * width)).long()
    # Cells are assigned to slots first, because the order of two writes to one location is undefined.
    order = torch.arange(1, slots + 1, device=values.device).expand(len(values), -1)
    assigned = torch.zeros(len(values), height * width + 1, dtype=torch.long, device=values.device)
    assigned = assigned.scatter_reduce(1, number, torch.where(there, order, 0), "amax")
    won = there & (assigned.gather(1, number) == order)
    weight = kept.to(values.dtype)
    return scattered(torch.where(kept, values, 0.0), number, won, shape), scattered(weight, number, won, shape)
