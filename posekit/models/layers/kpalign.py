"""Keypoint alignment (KPAlign), DirectPose's keypoint branch: locate roughly, sample features there, then refine.

Tian et al. 2019, arXiv:1911.07451. Its code was not published; details missing in the paper follow GluonCV.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from posekit.models.layers.bilinear import read_between
from posekit.models.layers.conv import fill_bias

# Channels in a group of the group norm.
NORMED = 4


class KPAlign(nn.Module):
    """Offsets from all cells of a pyramid to the points, from features sampled near the points.

    Points that move together form a group with its own features. The locator predicts a location for each group and
    cell; the sampler reads features of the next finer level there; a linear layer predicts the remaining offset.

    Args:
        before: input channels.
        groups: point indices of each group; each point is in one group.
        width: channels of a group.
        centred: count locations from the centre of a cell; False: from the finer cell right and below of the centre, as
            in the reference code.

    Raises:
        ValueError: the groups do not hold each point once.

    Source: Tian et al. 2019, section 3. Differs: ``centred``, without which the points of a mirrored image differ.
    """

    group_of: Tensor

    def __init__(self, before: int, groups: Sequence[Sequence[int]], width: int = 64, centred: bool = True) -> None:
        super().__init__()
        inside = {point: group for group, points in enumerate(groups) for point in points}
        count = sum(len(points) for points in groups)
        if sorted(inside) != list(range(count)):
            raise ValueError(f"groups must hold each point from 0 to {count - 1} once; got {list(map(list, groups))}")
        channels = width * len(groups)
        self.groups = len(groups)
        self.centred = centred
        self.tower = nn.Sequential(
            _grouped(before, channels, 1), *(_grouped(channels, channels, self.groups) for _ in range(3))
        )
        self.locator = nn.Conv2d(channels, 2 * self.groups, 3, padding=1, groups=self.groups)
        self.sampler = _grouped(channels, channels, self.groups)
        self.predictor = nn.Conv2d(width * count, 2 * count, 1, groups=count)
        self.register_buffer("group_of", torch.tensor([inside[point] for point in range(count)]), persistent=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                fill_bias(layer)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Offsets from each cell to its points, in cells of that level.

        Args:
            maps: (B, before, H, W) for each level, finest first, each half as large as the one before.

        Returns:
            (B, 2 K, H, W) for each level: x and y of the first point, of the second, ...
        """
        towers = [self.tower(x) for x in maps]
        sources = [self.sampler(x) for x in towers]
        return [self._points(x, sources[max(level - 1, 0)], 2 if level else 1) for level, x in enumerate(towers)]

    def _points(self, tower: Tensor, source: Tensor, ratio: int) -> Tensor:
        """Offsets of one level, from sampled features of a level whose cells are ``ratio`` times smaller."""
        batch, _, height, width = tower.shape
        base: Tensor = self.locator(tower).reshape(batch, self.groups, 2, height, width)
        read = self.read(source, base, ratio)
        rest: Tensor = self.predictor(read[:, self.group_of].flatten(1, 2))
        return base[:, self.group_of].flatten(1, 2) + rest / ratio

    def read(self, source: Tensor, base: Tensor, ratio: int) -> Tensor:
        """Features of every group at the location that the locator predicts.

        Args:
            source: (B, groups * width, h, w), with cells ``ratio`` times smaller.
            base: (B, groups, 2, H, W) offsets from each cell, x before y, in cells of the coarser level.
            ratio: 1 or 2.

        Returns:
            (B, groups, width, H, W); zeros outside ``source``.
        """
        height, width = base.shape[-2:]
        middle = (ratio - 1) / 2 if self.centred else ratio // 2
        dtype, device = torch.promote_types(base.dtype, torch.float32), base.device
        x = torch.arange(width, dtype=dtype, device=device) * ratio + middle + base[:, :, 0] * ratio
        y = torch.arange(height, dtype=dtype, device=device)[:, None] * ratio + middle + base[:, :, 1] * ratio
        each = source.reshape(-1, source.shape[1] // self.groups, *source.shape[-2:])
        read: Tensor = read_between(each, torch.stack((x, y), dim=-1).flatten(0, 1)).unflatten(0, (-1, self.groups))
        return read


def _grouped(before: int, after: int, groups: int) -> nn.Sequential:
    """Convolution, group norm, ReLU."""
    conv = nn.Conv2d(before, after, 3, padding=1, groups=groups)
    return nn.Sequential(conv, nn.GroupNorm(after // NORMED, after), nn.ReLU(inplace=True))
