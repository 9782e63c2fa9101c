"""Lite-HRNet's conditional channel weighting, which replaces 1x1 convolutions.

Yu et al. 2021, arXiv:2104.06403. Module names are those of the authors' repository.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.models.layers.named_conv import NamedConv
from posekit.models.layers.shuffle import interleave


class AcrossResolutions(nn.Module):
    """Cross-resolution weighting: gates for every channel and coarsest cell, computed from all branches.

    Args:
        widths: channels of the branches, finest first; each branch has half the resolution of the one before.
        ratio: reduction ratio of the hidden channels.
    """

    def __init__(self, widths: Sequence[int], ratio: int) -> None:
        super().__init__()
        self.widths = list(widths)
        total = sum(widths)
        self.conv1 = NamedConv(total, total // ratio, act=nn.ReLU(inplace=True))
        self.conv2 = NamedConv(total // ratio, total, act=nn.Sigmoid())

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first, sizes kept."""
        coarser = [2**step for step in reversed(range(len(maps)))]
        small = [x if times == 1 else F.avg_pool2d(x, times) for x, times in zip(maps, coarser, strict=True)]
        gates = self.conv2(self.conv1(torch.cat(small, 1))).split(self.widths, 1)
        grown = [
            g if times == 1 else F.interpolate(g, scale_factor=times) for g, times in zip(gates, coarser, strict=True)
        ]
        return [x * gate for x, gate in zip(maps, grown, strict=True)]


class OverSpace(nn.Module):
    """Spatial weighting: squeeze-and-excite with the authors' layer names."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.conv1 = NamedConv(channels, channels // ratio, act=nn.ReLU(inplace=True), norm=False)
        self.conv2 = NamedConv(channels // ratio, channels, act=nn.Sigmoid(), norm=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        gate: Tensor = self.conv2(self.conv1(x.mean((2, 3), keepdim=True)))
        return x * gate


class ConditionalWeighting(nn.Module):
    """Half of each branch's channels pass unchanged; the others are weighted, filtered and weighted again; shuffle.

    Args:
        widths: channels of the branches, finest first, even.
        ratio: reduction ratio of the cross-resolution weighting; that of spatial weighting is 4.

    Source: Yu et al. 2021, section 3.2.
    """

    def __init__(self, widths: Sequence[int], ratio: int = 8) -> None:
        super().__init__()
        halves = [width // 2 for width in widths]
        self.cross_resolution_weighting = AcrossResolutions(halves, ratio)
        self.depthwise_convs = nn.ModuleList(NamedConv(half, half, 3, groups=half) for half in halves)
        self.spatial_weighting = nn.ModuleList(OverSpace(half, 4) for half in halves)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first, sizes kept."""
        left, other = zip(*(x.chunk(2, dim=1) for x in maps), strict=True)
        right: list[Tensor] = self.cross_resolution_weighting(list(other))
        layers = zip(self.depthwise_convs, self.spatial_weighting, strict=True)
        right = [gate(filtered(x)) for x, (filtered, gate) in zip(right, layers, strict=True)]
        return [interleave(a, b) for a, b in zip(left, right, strict=True)]
