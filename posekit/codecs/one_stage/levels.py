"""The cells of a feature pyramid in one row, and their assignment to instances.

Tian et al. 2019, arXiv:1904.01355.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from posekit.codecs.base import Maps
from posekit.codecs.one_stage.instances import BatchInstances, clipped, valid_mask
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Instances


@dataclass(frozen=True)
class Levels:
    """Maps of several strides over one image. Their L cells form one row: level by level, each in reading order.

    Args:
        image: (height, width) in pixels.
        strides: finest first, each twice the one before.

    Raises:
        ValueError: a stride is not twice the one before, or does not divide the image.
    """

    image: tuple[int, int]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.strides or any(after != 2 * before for before, after in self.pairs):
            raise ValueError(f"strides should double from the finest on, as in 8, 16, 32; got {self.strides}")
        Grid.of(self.image, self.strides[-1])

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Neighbouring strides."""
        return list(zip(self.strides, self.strides[1:], strict=False))

    @cached_property
    def grids(self) -> tuple[Grid, ...]:
        """One grid for each stride."""
        return tuple(Grid.of(self.image, stride) for stride in self.strides)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of cells of each level; they sum to L."""
        return tuple(grid.height * grid.width for grid in self.grids)

    def named(self, name: str) -> tuple[str, ...]:
        """Names of the levels' maps: ``box_8``, ``box_16``, ..."""
        return tuple(f"{name}_{stride}" for stride in self.strides)

    def shapes(self, channels: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Shapes (C, H, W) of the maps of all levels, by name."""
        return {
            key: (count, *grid.shape)
            for name, count in channels.items()
            for key, grid in zip(self.named(name), self.grids, strict=True)
        }

    def row(self, maps: Maps, name: str) -> Tensor:
        """(B, C, L) the maps of all levels in one row."""
        return torch.cat([maps[key].flatten(2) for key in self.named(name)], -1)

    def maps(self, row: Tensor, name: str) -> dict[str, Tensor]:
        """The inverse of `row`: the maps of all levels from one row (B, C, L)."""
        parts = zip(self.named(name), row.split(self.counts, -1), self.grids, strict=True)
        return {key: part.unflatten(-1, grid.shape) for key, part, grid in parts}

    def locations(self, like: Tensor) -> Tensor:
        """(L, 2) centres of the cells in image pixels, of the type and device of ``like``."""
        axes = [grid.axes(like) for grid in self.grids]
        flat = [torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), -1).flatten(0, 1) for x, y in axes]
        return torch.cat(flat)

    def each(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        """(L,) one number for each level, repeated for its cells."""
        return torch.cat([like.new_full((n,), value) for n, value in zip(self.counts, values, strict=True)])

    def scale(self, like: Tensor) -> Tensor:
        """(L,) pixels per cell."""
        return self.each(tuple(map(float, self.strides)), like)

    def valid_mask(self, instances: Instances) -> Tensor:
        """(B, 1, L) 0 where a cell's centre lies in a region to ignore, else 1."""
        return torch.cat([valid_mask(instances, grid).flatten(2) for grid in self.grids], -1)

    def mirror(self, cells: Tensor) -> Tensor:
        """Indices (...) of the same cells in the mirrored image."""
        result, start = cells, 0
        for grid, count in zip(self.grids, self.counts, strict=True):
            inner = cells - start
            column = inner % grid.width
            here = (inner >= 0) & (inner < count)
            result = torch.where(here, start + inner - column + (grid.width - 1 - column), result)
            start += count
        return result


def outlines(batch: BatchInstances, image: tuple[int, int]) -> Tensor:
    """(B, N, 4) boxes clipped to the image; the box around the labelled points where a box has no extent."""
    known = batch.known[..., None]
    low = torch.where(known, batch.xy, torch.inf).amin(2)
    high = torch.where(known, batch.xy, -torch.inf).amax(2)
    around = torch.cat((low, high), -1)
    flat = (batch.size <= 0).any(-1) & batch.known.any(-1)
    boxes = torch.where(flat[..., None], around, batch.boxes)
    return clipped(boxes, image)


def assign(
    levels: Levels, boxes: Tensor, present: Tensor, center_sampling_radius: float, regress_range: float
) -> Tensor:
    """Assign an instance to each cell.

    An instance may be assigned to a cell if the cell's centre lies strictly inside the box and inside the region around
    the box's centre, and if the distance to the furthest side is in the range of the level: from half of
    ``regress_range`` to ``regress_range`` of its cells, both included; the finest level has no lower limit, the
    coarsest no upper. Of several instances the smallest box is assigned, of equal ones the first.

    Args:
        levels: of the cells.
        boxes: (B, N, 4) image pixels.
        present: (B, N) bool; other boxes have no cells.
        center_sampling_radius: half the side of the square around the centre, in cells; 0 takes the whole box.
        regress_range: in cells.

    Returns:
        (B, L) index of the instance, N where there is none.

    Source: Tian et al. 2019, section 3.1; the region is that of the authors' later code.
    """
    place, scale = levels.locations(boxes), levels.scale(boxes)
    low, high = place - boxes[:, :, None, :2], boxes[:, :, None, 2:] - place
    inside = torch.minimum(low, high).amin(-1) > 0
    if center_sampling_radius:
        centre = (boxes[..., :2] + boxes[..., 2:])[:, :, None] / 2
        inside = inside & ((place - centre).abs().amax(-1) < center_sampling_radius * scale)
    far = torch.maximum(low, high).amax(-1)
    ends = tuple(regress_range * stride for stride in levels.strides)
    least = levels.each((0.0, *ends[:-1]), boxes)
    most = levels.each((*ends[:-1], float("inf")), boxes)
    fits = inside & (far >= least) & (far <= most) & present[..., None]
    area = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0.0).prod(-1)[..., None]
    smallest = torch.where(fits, area, torch.inf).amin(1, keepdim=True)
    count = boxes.shape[1]
    number = torch.arange(count, device=boxes.device)[:, None]
    return torch.where(fits & (area == smallest), number, count).amin(1)


def of_assigned(values: Tensor, assigned: Tensor) -> Tensor:
    """(B, L, C) values (B, N, C) of each cell's instance; those of an arbitrary instance where the cell has none."""
    count = values.shape[1]
    # One flat index over all images: selecting along one axis is several times faster than a gather.
    at = assigned.clamp_max(count - 1) + count * torch.arange(len(assigned), device=assigned.device)[:, None]
    return values.flatten(0, 1).index_select(0, at.flatten()).reshape(*assigned.shape, -1)


def centreness(distances: Tensor) -> Tensor:
    """Centre-ness of a location in its box: 1 in the centre, 0 on a side and outside.

    Args:
        distances: (B, 4, ...) to the left, upper, right and lower side.

    Returns:
        (B, 1, ...): the root of ``min(l, r) / max(l, r) * min(t, b) / max(t, b)``.

    Source: Tian et al. 2019, eq. 3.
    """
    low, high = distances[:, :2], distances[:, 2:]
    ratio = torch.minimum(low, high).clamp_min(0.0) / torch.maximum(low, high).clamp_min(1e-9)
    return ratio.prod(1, keepdim=True).sqrt()
