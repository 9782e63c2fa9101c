"""DEKR's adaptive blocks on CenterNet's branches, so that a network with such branches can be the start.

Geng et al. 2021, arXiv:2104.02300; Zhou et al. 2019, arXiv:1904.07850.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.one_stage.branches import BranchesHead
from posekit.models.heads.one_stage.dekr import points_of
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.conv import ConvNormAct, fill_bias, init_fan_out

PEAKS = ("peaks", "centre")
"""Branches whose logits together are ``heatmap``: those of the points, and last that of the centres."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DekrBranches:
    """CenterNet's branches, to whose offsets those of DEKR's adaptive blocks are added; heatmaps as logits."""

    channels: int = Field(default=96, gt=0)
    """hidden channels of each branch; 96 in MoveNet, whose heads can be the start"""
    width: int = Field(default=15, gt=0)
    """channels of the adaptive blocks of each point; published: 15"""
    blocks: int = Field(default=2, ge=1)
    """adaptive (deformable) blocks of each point; published: 2"""
    kind: Literal["dekr_branches"] = "dekr_branches"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> DekrBranchesNet:
        """The head; see `DekrHead.build`. The codec needs ``activation="sigmoid"``."""
        return DekrBranchesNet(points_of(shapes, strides), channels, self.channels, self.width, self.blocks)


class DekrBranchesNet(nn.Module):
    """(B, before, H, W) to ``heatmap`` (B, K + 1, H, W), as logits, and ``point_offsets`` (B, 2 K, H, W).

    The adaptive blocks read what the offsets' branch computes before its last layer. Their last layer starts at zero,
    so that the first outputs are those of the branches.

    Args:
        points: K.
        before: input channels.
        channels: hidden channels of each branch.
        width: channels of each point's adaptive blocks.
        blocks: adaptive blocks of each point.
    """

    def __init__(self, points: int, before: int, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        counts = {"peaks": points, "centre": 1, "point_offsets": 2 * points}
        self.entry = ConvNormAct(channels, points * width)
        adaptive = [AdaptiveBlock(width, points, "identity") for _ in range(blocks)]
        self.blocks = nn.Sequential(*adaptive)
        self.point_offsets = nn.Conv2d(points * width, 2 * points, 1, groups=points)
        init_fan_out(self)
        for block in adaptive:
            block.reset_transform("identity")
        nn.init.zeros_(self.point_offsets.weight)
        fill_bias(self.point_offsets)
        self.branches = BranchesHead(counts, before, channels, PEAKS, separable=True).branches

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps without activation; takes a list of one map."""
        branch = cast(nn.Sequential, self.branches["point_offsets"])
        x = branch[:-1](maps[0])
        offsets = branch[-1](x) + self.point_offsets(self.blocks(self.entry(x)))
        heatmap = torch.cat([self.branches[name](maps[0]) for name in PEAKS], 1)
        return {"heatmap": heatmap, "point_offsets": offsets}
