"""DEKR's offset targets: in each cell around the centre of an instance, the offsets to all of its points."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import within
from posekit.codecs.one_stage.instances import BatchInstances, scattered


def centre_of(batch: BatchInstances) -> Tensor:
    """(B, N, 2) mean of the labelled points, image pixels; (0, 0) where none is."""
    known = batch.known[..., None].to(batch.xy.dtype)
    return (batch.xy * known).sum(-2) / known.sum(-2).clamp_min(1.0)


def diagonal_of(batch: BatchInstances, compat: bool = False) -> Tensor:
    """Size of instances: the diagonal around their points.

    Args:
        batch: K points each.
        compat: as in DEKR's code: points without a label, and the centre (not set at that time), count as (0, 0), so
            that the diagonal runs from the image's corner to the far side of the instance.

    Returns:
        (B, N) pixels: diagonal of the box around the labelled points; 0 where there is at most one.
    """
    known = batch.known[..., None]
    if compat:
        return torch.where(known, batch.xy, 0.0).amax(-2).clamp_min(0.0).square().sum(-1).sqrt()
    low = torch.where(known, batch.xy, torch.inf).amin(-2)
    high = torch.where(known, batch.xy, -torch.inf).amax(-2)
    return torch.where(known.any(-2), high - low, 0.0).square().sum(-1).sqrt()


def offsets_around(
    place: Tensor,
    kept: Tensor,
    centre: Tensor,
    used: Tensor,
    size: Tensor,
    reach: tuple[float, float],
    shape: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Write the offsets to the points into the cells near the centre of an instance.

    A cell near several instances is assigned to the smallest, with all its points; of equal sizes to the first.

    Args:
        place: (B, N, K, 2) of the points, in cells.
        kept: (B, N, K) bool: other points are left out.
        centre: (B, N, 2) in cells.
        used: (B, N) bool: other instances are left out.
        size: (B, N) size that decides which instance is smaller, positive.
        reach: how far from the centre, along x and along y, in cells.
        shape: (height, width) of the map.

    Returns:
        (B, 2 K, H, W) x and y from each cell to each point in turn, in cells, and (B, K, H, W) weights, ``1 / size``; 0
        where no instance is near.
    """
    height, width = shape
    cell, member = cells_around(centre, reach, shape)
    member = member & used[..., None]
    number = torch.where(member, cell[..., 1] * width + cell[..., 0], height * width).flatten(1).long()
    # The smallest instance near a cell, and of equal sizes the first.
    slots = torch.arange(len(size[0]), device=size.device)[:, None].expand(member.shape)
    sizes = size[..., None].expand(member.shape).flatten(1)
    least = sizes.new_full((len(sizes), height * width + 1), torch.inf).scatter_reduce(1, number, sizes, "amin")
    mine = member.flatten(1) & (sizes == least.gather(1, number))
    first = torch.full_like(least, slots.shape[1], dtype=torch.long)
    assigned = torch.where(mine, slots.flatten(1), slots.shape[1])
    won = mine & (assigned == first.scatter_reduce(1, number, assigned, "amin").gather(1, number))
    known = kept[:, :, None].expand(*member.shape, -1)
    offset = torch.where(known[..., None], place[:, :, None] - cell[..., None, :], 0.0).flatten(3)
    weight = known / size[..., None, None]
    offsets, weights = (scattered(value.flatten(1, 2), number, won, shape) for value in (offset, weight))
    return offsets, weights


def cells_around(center: Tensor, reach: tuple[float, float], shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The cells of a map near locations.

    Args:
        center: (B, N, 2) in cells.
        reach: largest distance along x and along y, in cells.
        shape: (height, width) of the map.

    Returns:
        (B, N, n, 2) whole numbers, x before y, and (B, N, n) bool: whether the cell is on the map and near enough; n is
        the number of candidates.
    """
    counts = [math.floor(2 * far) + 3 for far in reach]
    columns, rows = (
        (center[..., axis, None] - far).floor() + torch.arange(count, dtype=center.dtype, device=center.device)
        for axis, (far, count) in enumerate(zip(reach, counts, strict=True))
    )
    size = (*center.shape[:2], counts[1], counts[0])
    cell = torch.stack((columns[..., None, :].expand(size), rows[..., None].expand(size)), -1).flatten(2, 3)
    near = ((cell - center[:, :, None]).abs() <= center.new_tensor(reach)).all(-1)
    return cell, near & within(cell, shape)
