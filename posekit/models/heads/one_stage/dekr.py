"""DEKR's head: a heatmap branch, and for each point a separate branch for its offset.

Geng et al. 2021, arXiv:2104.02300.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.resnet import BasicBlock
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.conv import ConvNormAct, init_normal


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DekrHead:
    """Heatmaps from a residual block; offsets from adaptive (deformable) blocks, one branch for each point."""

    channels: int = Field(default=32, gt=0)
    """channels of the heatmap branch; published: 32 with HRNet-W32, 48 with HRNet-W48"""
    width: int = Field(default=15, gt=0)
    """channels of the offset branch of each point; published: 15"""
    blocks: int = Field(default=2, ge=1)
    """adaptive (deformable) blocks in the offset branch of each point; published: 2"""
    start: Literal["centre", "identity"] = "centre"
    """initial sampling of the adaptive blocks: all nine taps at the cell itself, as published, or a plain 3x3 grid"""
    kind: Literal["dekr"] = "dekr"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> DekrHeadNet:
        """The head.

        Args:
            shapes: ``heatmap`` (K + 1, H, W) and ``point_offsets`` (2 K, H, W).
            channels: channels of the input map.
            strides: strides of the neck's maps; must be one.

        Raises:
            ValueError: the neck outputs several maps, or the shapes are not those above.
        """
        points = points_of(shapes, strides)
        return DekrHeadNet(points, channels, self.channels, self.width, self.blocks, self.start)


def points_of(shapes: Mapping[str, tuple[int, ...]], strides: Sequence[int]) -> int:
    """Number of points K, from the shapes of ``heatmap`` (K + 1, H, W) and ``point_offsets`` (2 K, H, W).

    Raises:
        ValueError: the neck outputs several maps, or the shapes are not those above.
    """
    if len(strides) != 1:
        raise ValueError(f"this head takes one map, but the neck outputs strides {', '.join(map(str, strides))}")
    counts = {name: shape[0] for name, shape in shapes.items()}
    if set(counts) != {"heatmap", "point_offsets"} or counts["point_offsets"] != 2 * (counts["heatmap"] - 1):
        raise ValueError(f"this head outputs K + 1 maps 'heatmap' and 2 K 'point_offsets', the codec needs {counts}")
    return counts["point_offsets"] // 2


class DekrHeadNet(nn.Module):
    """(B, before, H, W) to ``heatmap`` (B, K + 1, H, W) and ``point_offsets`` (B, 2 K, H, W).

    The branches of all points run in parallel, as groups of the same layers.

    Args:
        points: K.
        before: input channels.
        channels: channels of the heatmap branch.
        width: channels of each point's branch.
        blocks: adaptive blocks of each point's branch.
        start: initial sampling of the adaptive blocks.
    """

    def __init__(
        self, points: int, before: int, channels: int, width: int, blocks: int, start: Literal["centre", "identity"]
    ) -> None:
        super().__init__()
        self.heatmap = nn.Sequential(
            ConvNormAct(before, channels), BasicBlock(channels, channels), nn.Conv2d(channels, points + 1, 1)
        )
        self.entry = ConvNormAct(before, points * width)
        adaptive = [AdaptiveBlock(width, points, start) for _ in range(blocks)]
        self.blocks = nn.Sequential(*adaptive)
        self.point_offsets = nn.Conv2d(points * width, 2 * points, 1, groups=points)
        init_normal(self, 0.001)
        for block in adaptive:
            block.reset_transform(start)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps without activation; takes a list of one map."""
        x = maps[0]
        return {"heatmap": self.heatmap(x), "point_offsets": self.point_offsets(self.blocks(self.entry(x)))}
