"""Head of DEKR's first version: heatmaps at three dilations, and offsets that also use the heatmaps as input.

Sun et al. 2020, arXiv:2006.15480.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.one_stage.dekr import points_of
from posekit.models.layers.conv import ConvNormAct, init_normal
from posekit.models.layers.spatial import SpatialBlock


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DekrFirstHead:
    """Heatmaps from blocks with shared weights at several dilations; one block for centre heatmap and offsets."""

    channels: int = Field(default=32, gt=0)
    """channels of the heatmap branch; published: 32 with HRNet-W32, 48 with HRNet-W48"""
    width: int = Field(default=256, gt=0)
    """channels of the offset branch; published: 256"""
    dilations: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 3), min_length=1)
    """dilations of the heatmap blocks, which share weights; their heatmaps are averaged"""
    kind: Literal["dekr_first"] = "dekr_first"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> DekrFirstHeadNet:
        """The head; see `DekrHead.build`."""
        points = points_of(shapes, strides)
        return DekrFirstHeadNet(points, channels, self.channels, self.width, self.dilations)


class DekrFirstHeadNet(nn.Module):
    """(B, before, H, W) to ``heatmap`` (B, K + 1, H, W) and ``point_offsets`` (B, 2 K, H, W).

    Args:
        points: K.
        before: input channels.
        channels: channels of the heatmap blocks.
        width: channels of the offset block.
        dilations: dilations of the heatmap blocks.
    """

    def __init__(self, points: int, before: int, channels: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.points = points
        self.heatmap_entry = ConvNormAct(before, channels)
        spatial = [SpatialBlock(channels, dilation) for dilation in dilations]
        self.heatmap_blocks = nn.ModuleList(spatial)
        self.heatmap = nn.Conv2d(channels, points, 1)
        self.offset_entry = ConvNormAct(before + points, width)
        self.offset_block = SpatialBlock(width)
        self.point_offsets = nn.Conv2d(width, 2 * points + 1, 1)
        init_normal(self, 0.001)
        for block in (*spatial, self.offset_block):
            block.reset_transform()
        for block in spatial[1:]:
            block.tie(spatial[0])

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps without activation; takes a list of one map."""
        x = maps[0]
        entry = self.heatmap_entry(x)
        gaussians = torch.stack([self.heatmap(block(entry)) for block in self.heatmap_blocks]).mean(0)
        told = self.point_offsets(self.offset_block(self.offset_entry(torch.cat((x, gaussians), 1))))
        offsets, centre = told[:, : 2 * self.points], told[:, 2 * self.points :]
        return {"heatmap": torch.cat((gaussians, centre), 1), "point_offsets": offsets}
