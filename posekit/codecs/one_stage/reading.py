"""Reading heatmaps at the points of many instances."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import bilinear, nearest, within


def read_locations(maps: Tensor, place: Tensor) -> Tensor:
    """Each point's heatmap at its location, with bilinear interpolation.

    Args:
        maps: (B, C, H, W), with C at least K; the first K are read.
        place: (B, N, K, 2) in cells, x before y, finite.

    Returns:
        (B, N, K). Beyond the outermost cell centres the border value; 0 outside the map.
    """
    inside = within(nearest(place), (maps.shape[-2], maps.shape[-1]))
    return torch.where(inside, bilinear(maps, place.transpose(1, 2)).transpose(1, 2), 0.0)
