"""DLA-34: deep layer aggregation, trees of blocks with a root that reads them all. Yu et al. 2017, arXiv:1707.06484.

State-dict names are those of the authors' repository and of CenterNet, without projections that are never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import ConvNormAct, init_fan_out, rectify
from posekit.models.weights import load_weights

WIDTHS = (16, 32, 64, 128, 256, 512)
# Depths of the trees of strides 4, 8, 16 and 32.
DEPTHS = (1, 2, 2, 1)
# In the files, but never used: in a deep tree only the first subtree projects.
IDLE = ("level3.project.", "level4.project.")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DLA:
    """The backbone of CenterNet, two thirds of ResNet-50 in size; use it with the neck dla_up."""

    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with the authors' layer names; unset: random weights"""
    kind: Literal["dla"] = "dla"

    def build(self) -> DLABackbone:
        """The backbone."""
        return load_weights(DLABackbone(), self.weights, ("fc.", *IDLE))


class Leaf(nn.Module):
    """Basic block: two 3x3 convolutions, with a shortcut that the caller computes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu1 = rectify()
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu2 = rectify()

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Input (B, before, H, W) and shortcut (B, after, H / stride, W / stride) to the shortcut's shape."""
        y: Tensor = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)) + shortcut)
        return y


class Root(nn.Module):
    """Root: 1x1 convolution over the concatenated maps of a tree."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 1, bias=False)
        self.bn = nn.BatchNorm2d(after)
        self.relu = rectify()

    def forward(self, gathered: Sequence[Tensor]) -> Tensor:
        """Maps of one size to (B, after, H, W)."""
        y: Tensor = self.relu(self.bn(self.conv(torch.cat(list(gathered), dim=1))))
        return y


class Tree(nn.Module):
    """Two blocks and a root, or two subtrees of which the second's root also reads the first's output.

    Args:
        depth: levels of the tree; 1: two blocks and a root.
        before: input channels.
        after: output channels.
        stride: stride of the first block.
        heard: channels of additional maps that the root reads.
        keep: let the root read the tree's downsampled input as well.
    """

    def __init__(self, depth: int, before: int, after: int, stride: int, heard: int = 0, keep: bool = False) -> None:
        super().__init__()
        self.keep = keep
        self.downsample = nn.MaxPool2d(stride, stride) if stride > 1 else nn.Identity()
        heard += before if keep else 0
        self.root: Root | None = None
        self.project: nn.Module | None = None
        if depth > 1:
            self.tree1: nn.Module = Tree(depth - 1, before, after, stride)
            self.tree2: nn.Module = Tree(depth - 1, after, after, 1, heard + after)
            return
        self.tree1 = Leaf(before, after, stride)
        self.tree2 = Leaf(after, after, 1)
        self.root = Root(2 * after + heard, after)
        if before != after:
            self.project = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor, heard: Sequence[Tensor] = ()) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        small = self.downsample(x)
        heard = [*heard, small] if self.keep else list(heard)
        if self.root is None:
            first = self.tree1(x)
            y: Tensor = self.tree2(first, [*heard, first])
            return y
        first = self.tree1(x, small if self.project is None else self.project(small))
        y = self.root([self.tree2(first, first), first, *heard])
        return y


class DLABackbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32."""

    strides = (4, 8, 16, 32)
    channels = WIDTHS[2:]
    multiple = 32
    level2: Tree
    level3: Tree
    level4: Tree
    level5: Tree

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = ConvNormAct(3, WIDTHS[0], 7)
        self.level0 = ConvNormAct(WIDTHS[0], WIDTHS[0], 3)
        self.level1 = ConvNormAct(WIDTHS[0], WIDTHS[1], 3, 2)
        for level, depth in enumerate(DEPTHS, start=2):
            # Only in the first tree the root does not read the input.
            tree = Tree(depth, WIDTHS[level - 1], WIDTHS[level], 2, keep=level > 2)
            self.add_module(f"level{level}", tree)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x = self.level1(self.level0(self.base_layer(image)))
        maps = []
        for tree in (self.level2, self.level3, self.level4, self.level5):
            x = tree(x)
            maps.append(x)
        return maps
