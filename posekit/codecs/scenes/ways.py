"""What the cells around the middle of an instance should say: the way from each to all of its points."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.scenes.crowd import Crowd


def middle_of(crowd: Crowd) -> Tensor:
    """(B, N, 2) mean of the labelled points, image pixels; (0, 0) where none is."""
    known = crowd.known[..., None].to(crowd.xy.dtype)
    return (crowd.xy * known).sum(-2) / known.sum(-2).clamp_min(1.0)


def diagonal_of(crowd: Crowd, compat: bool = False) -> Tensor:
    """How large instances are.

    Args:
        crowd: K points each.
        compat: as DEKR's code has it: points without a label, and the middle that is not yet there, count as (0, 0),
            so that it is the way from the image's corner to the far side of the instance.

    Returns:
        (B, N) pixels: of the diagonal of the box around the labelled points; 0 where there is at most one.
    """
    known = crowd.known[..., None]
    if compat:
        return torch.where(known, crowd.xy, 0.0).amax(-2).clamp_min(0.0).square().sum(-1).sqrt()
    low = torch.where(known, crowd.xy, torch.inf).amin(-2)
    high = torch.where(known, crowd.xy, -torch.inf).amax(-2)
    return torch.where(known.any(-2), high - low, 0.0).square().sum(-1).sqrt()


def ways_around(
    place: Tensor,
    kept: Tensor,
    middle: Tensor,
    led: Tensor,
    size: Tensor,
    reach: tuple[float, float],
    shape: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Write the ways to the points into the cells near the middle of an instance.

    Where the cells of two instances overlap the smaller one has them, with all its points; of equally large ones the
    first.

    Args:
        place: (B, N, K, 2) of the points, in cells.
        kept: (B, N, K) bool: other points are left out.
        middle: (B, N, 2) in cells.
        led: (B, N) bool: other instances are left out.
        size: (B, N) by which the smaller is told, positive.
        reach: how far from the middle, along x and along y, in cells.
        shape: (height, width) of the map.

    Returns:
        (B, 2 K, H, W) x and y from each cell to each point in turn, in cells, and (B, K, H, W) weights, ``1 / size``;
        0 where nobody says anything.
    """
    height, width = shape
    columns = torch.arange(width, dtype=place.dtype, device=place.device)
    rows = torch.arange(height, dtype=place.dtype, device=place.device)
    beside = (columns - middle[..., :1]).abs() <= reach[0]
    above = ((rows - middle[..., 1:]).abs() <= reach[1]) & led[..., None]
    member = above[..., :, None] & beside[..., None, :]
    least, owner = torch.where(member, size[..., None, None], torch.inf).min(1)
    flat = owner.flatten(1)[..., None]
    where = place.flatten(2).gather(1, flat.expand(-1, -1, 2 * place.shape[2]))
    known = kept.gather(1, flat.expand(-1, -1, place.shape[2])) & least.isfinite().flatten(1)[..., None]
    there = where.transpose(1, 2).unflatten(1, (-1, 2)).unflatten(-1, shape)
    here = torch.stack((columns.expand(height, -1), rows[:, None].expand(-1, width)))
    known = known.transpose(1, 2).unflatten(-1, shape)
    way = torch.where(known[:, :, None], there - here, 0.0)
    return way.flatten(1, 2), known / least[:, None]
