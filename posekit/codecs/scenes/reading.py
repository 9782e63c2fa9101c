"""Maps of points read where the points of many instances lie, and their hills' tops between the cells."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import nearest, picked
from posekit.codecs.refine import FLOOR
from posekit.codecs.scenes.crowd import within


def read_places(maps: Tensor, place: Tensor) -> Tensor:
    """What each point's own map says where it lies, linearly between the cells.

    Args:
        maps: (B, K, H, W).
        place: (B, N, K, 2) in cells, x before y, finite.

    Returns:
        (B, N, K). Beyond the outermost centres of cells the value of the outermost cells; 0 off the map.
    """
    H, W = maps.shape[-2:]
    inside = within(nearest(place), (H, W))
    place = place.transpose(1, 2)
    x = place[..., 0].clamp(0.0, W - 1.0)
    y = place[..., 1].clamp(0.0, H - 1.0)
    left, upper = x.floor(), y.floor()
    column, row = left.long(), upper.long()
    right, lower = (column + 1).clamp_max(W - 1), (row + 1).clamp_max(H - 1) * W
    row = row * W
    above = torch.lerp(picked(maps, row + column), picked(maps, row + right), x - left)
    below = torch.lerp(picked(maps, lower + column), picked(maps, lower + right), x - left)
    return torch.where(inside, torch.lerp(above, below, y - upper).transpose(1, 2), 0.0)


def hilltops(maps: Tensor, cell: Tensor) -> Tensor:
    """Tops of the Gaussians on which the highest cells lie, for each axis alone.

    Args:
        maps: (B, K, H, W), finite.
        cell: (B, K, n, 2) integer summits, x before y.

    Returns:
        (B, K, n, 2) cells, within half a cell of ``cell``; on an axis without a neighbour on each side the cell itself.
    """
    H, W = maps.shape[-2:]
    x, y = cell.unbind(-1)
    before = torch.stack((y * W + (x - 1).clamp_min(0), (y - 1).clamp_min(0) * W + x), -1)
    after = torch.stack((y * W + (x + 1).clamp_max(W - 1), (y + 1).clamp_max(H - 1) * W + x), -1)
    here = (y * W + x)[..., None].expand(before.shape)
    a, m, b = (picked(maps, at.flatten(2)).reshape(at.shape).clamp_min(FLOOR).log() for at in (before, here, after))
    bend = a - 2 * m + b
    last = torch.tensor((W - 1, H - 1), device=cell.device)
    curved = (bend < -1e-6) & (cell > 0) & (cell < last)
    step = 0.5 * (a - b) / torch.where(curved, bend, -1.0)
    return cell.to(step.dtype) + torch.where(curved, step, 0.0).clamp(-0.5, 0.5)
