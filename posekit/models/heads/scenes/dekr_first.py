"""Head of DEKR's first version: hills seen at three dilations, and a regression that is shown the hills.

Sun et al. 2020, arXiv:2006.15480.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.scenes.dekr import points_of
from posekit.models.layers.conv import ConvNormAct, init_normal
from posekit.models.layers.spatial import SpatialBlock


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DekrFirstHead:
    """Blocks of one set of weights at several dilations for the hills; one block for middles and ways."""

    channels: int = Field(default=32, gt=0)
    """Of the hills' blocks; 48 with HRNet-W48."""
    width: int = Field(default=256, gt=0)
    """Channels of the regression's block."""
    dilations: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 3), min_length=1)
    """Of the hills' blocks, which share their convolutions; their hills are averaged."""
    kind: Literal["dekr_first"] = "dekr_first"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> nn.Module:
        """The head; see `DekrHead.build`."""
        points = points_of(shapes, strides)
        return DekrFirstHeadNet(points, channels, self.channels, self.width, self.dilations)


class DekrFirstHeadNet(nn.Module):
    """(B, before, H, W) to ``heatmap`` (B, K + 1, H, W) and ``way`` (B, 2 K, H, W).

    Args:
        points: K.
        before: channels that come in.
        channels: of the hills' blocks.
        width: of the regression's block.
        dilations: of the hills' blocks.
    """

    def __init__(self, points: int, before: int, channels: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.points = points
        self.hills_entry = ConvNormAct(before, channels)
        self.hills_blocks = nn.ModuleList(SpatialBlock(channels, dilation) for dilation in dilations)
        self.hills = nn.Conv2d(channels, points, 1)
        self.way_entry = ConvNormAct(before + points, width)
        self.way_block = SpatialBlock(width)
        self.way = nn.Conv2d(width, 2 * points + 1, 1)
        init_normal(self, 0.001)
        for block in (*self.hills_blocks, self.way_block):
            block.reset_transform()
        for block in self.hills_blocks[1:]:
            block.tie(self.hills_blocks[0])

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Raw values of the only map; no activation."""
        x = maps[0]
        entry = self.hills_entry(x)
        hills = torch.stack([self.hills(block(entry)) for block in self.hills_blocks]).mean(0)
        told = self.way(self.way_block(self.way_entry(torch.cat((x, hills), 1))))
        way, middle = told[:, : 2 * self.points], told[:, 2 * self.points :]
        return {"heatmap": torch.cat((hills, middle), 1), "way": way}
