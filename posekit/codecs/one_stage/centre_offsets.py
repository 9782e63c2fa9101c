"""What the cells around the centre of an instance should say: the offset from each to all of its points."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import within
from posekit.codecs.one_stage.instances import BatchInstances, laid


def centre_of(batch: BatchInstances) -> Tensor:
    """(B, N, 2) mean of the labelled points, image pixels; (0, 0) where none is."""
    known = batch.known[..., None].to(batch.xy.dtype)
    return (batch.xy * known).sum(-2) / known.sum(-2).clamp_min(1.0)


def diagonal_of(batch: BatchInstances, compat: bool = False) -> Tensor:
    """How large instances are.

    Args:
        batch: K points each.
        compat: as DEKR's code has it: points without a label, and the centre that is not yet there, count as (0, 0),
            so that it is the offset from the image's corner to the far side of the instance.

    Returns:
        (B, N) pixels: of the diagonal of the box around the labelled points; 0 where there is at most one.
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
    led: Tensor,
    size: Tensor,
    reach: tuple[float, float],
    shape: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Write the offsets to the points into the cells near the centre of an instance.

    Where the cells of two instances overlap the smaller one has them, with all its points; of equally large ones the
    first.

    Args:
        place: (B, N, K, 2) of the points, in cells.
        kept: (B, N, K) bool: other points are left out.
        centre: (B, N, 2) in cells.
        led: (B, N) bool: other instances are left out.
        size: (B, N) by which the smaller is told, positive.
        reach: how far from the centre, along x and along y, in cells.
        shape: (height, width) of the map.

    Returns:
        (B, 2 K, H, W) x and y from each cell to each point in turn, in cells, and (B, K, H, W) weights, ``1 / size``;
        0 where nobody says anything.
    """
    height, width = shape
    cell, member = cells_around(centre, reach, shape)
    member = member & led[..., None]
    number = torch.where(member, cell[..., 1] * width + cell[..., 0], height * width).flatten(1).long()
    # The smallest who claims a cell, and of equally small ones the first.
    slots = torch.arange(len(size[0]), device=size.device)[:, None].expand(member.shape)
    claims = size[..., None].expand(member.shape).flatten(1)
    least = claims.new_full((len(claims), height * width + 1), torch.inf).scatter_reduce(1, number, claims, "amin")
    mine = member.flatten(1) & (claims == least.gather(1, number))
    first = torch.full_like(least, slots.shape[1], dtype=torch.long)
    whose = torch.where(mine, slots.flatten(1), slots.shape[1])
    won = mine & (whose == first.scatter_reduce(1, number, whose, "amin").gather(1, number))
    known = kept[:, :, None].expand(*member.shape, -1)
    offset = torch.where(known[..., None], place[:, :, None] - cell[..., None, :], 0.0).flatten(3)
    weight = known / size[..., None, None]
    offsets, weights = (laid(value.flatten(1, 2), number, won, shape) for value in (offset, weight))
    return offsets, weights


def cells_around(center: Tensor, reach: tuple[float, float], shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The cells of a map near locations.

    Args:
        center: (B, N, 2) in cells.
        reach: how far away they may lie, along x and along y, in cells.
        shape: (height, width) of the map.

    Returns:
        (B, N, n, 2) whole numbers, x before y, and (B, N, n) bool: the cell is on the map and not too far; n is what
        may be.
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
