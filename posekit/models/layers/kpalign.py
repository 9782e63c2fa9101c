"""Locate roughly, read there, then say exactly: DirectPose's keypoint branch.

Tian et al. 2019, arXiv:1911.07451. Its code was never published; what the paper leaves open follows GluonCV.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from posekit.models.layers.bilinear import read_between
from posekit.models.layers.conv import fill_bias

# Channels of a group that a group norm takes together.
NORMED = 4


class KPAlign(nn.Module):
    """Points of all cells of a pyramid, from features read near the points themselves.

    Points that move together form a group with features of its own. One convolution finds a place for each group and
    cell (the locator); features of the next finer level are read there (the sampler); a linear layer adds the rest.

    Args:
        before: channels of the pyramid.
        groups: indices of points that are read in one place; together each point once.
        width: channels of a group.
        centred: locations are counted from the middle of a cell; False: from the finer cell below and right of the
            middle, as in the reference.

    Raises:
        ValueError: the groups do not hold each point once.

    Source: Tian et al. 2019, section 3. Differs: ``centred``, without which a mirrored image has other points.
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
        """Steps from each cell to its points, in cells of that level.

        Args:
            maps: (B, before, H, W) a level, finest first, each level half the one before it.

        Returns:
            (B, 2 K, H, W) a level: x and y of the first point, of the second, ...
        """
        towers = [self.tower(x) for x in maps]
        sources = [self.sampler(x) for x in towers]
        return [self._points(x, sources[max(level - 1, 0)], 2 if level else 1) for level, x in enumerate(towers)]

    def _points(self, tower: Tensor, source: Tensor, ratio: int) -> Tensor:
        """Points of one level from features of one whose cells are ``ratio`` times smaller."""
        batch, _, height, width = tower.shape
        base: Tensor = self.locator(tower).reshape(batch, self.groups, 2, height, width)
        read = self.read(source, base, ratio)
        rest: Tensor = self.predictor(read[:, self.group_of].flatten(1, 2))
        return base[:, self.group_of].flatten(1, 2) + rest / ratio

    def read(self, source: Tensor, base: Tensor, ratio: int) -> Tensor:
        """Features of every group where its locator points.

        Args:
            source: (B, groups * width, h, w), of cells ``ratio`` times smaller.
            base: (B, groups, 2, H, W) steps from each cell, x before y, in its cells.
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
