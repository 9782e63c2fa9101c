"""Lite-HRNet: HRNet's branches with weighted channels in place of 1x1 convolutions. Yu et al. 2021, arXiv:2104.06403.

State-dict names are those of the authors' repository and of MMPose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.models.layers.conv import ConvNormAct, init_normal
from posekit.models.layers.named_conv import NamedConv
from posekit.models.layers.shuffle import interleave
from posekit.models.layers.weighting import ConditionalWeighting
from posekit.models.weights import load_weights

# Modules of the stages with two, three and four branches, by depth; each module has two blocks.
MODULES = {18: (2, 4, 2), 30: (3, 8, 3)}
BLOCKS = 2
# Channels of the finest branch, by block type; each coarser branch has twice as many.
WIDTH = {"weighting": 40, "naive": 30, "wider_naive": 40}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LiteHRNet:
    """An HRNet of one to two million parameters; slower than its MACs suggest, because of many small layers."""

    depth: Literal[18, 30] = 18
    """Lite-HRNet-18 or 30: 1.1 or 1.8 M parameters with a heatmap head"""
    block: Literal["weighting", "naive", "wider_naive"] = "weighting"
    """block type: weighting is Lite-HRNet; naive and wider_naive are the paper's baselines of ShuffleNetV2 units"""
    exchange: Literal["published", "plain"] = "published"
    """how branches are fused; plain: each becomes the sum of all, as in the paper; published: as in the authors' code,
    which adds the finest branch twice; published weights need the latter"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with the authors' layer names; unset: random weights"""
    kind: Literal["lite_hrnet"] = "lite_hrnet"

    def build(self) -> LiteHRNetBackbone:
        """The backbone."""
        return load_weights(LiteHRNetBackbone(self.depth, self.block, self.exchange), self.weights)


class Stem(nn.Module):
    """Stem: a strided convolution and a strided ShuffleNet unit, to stride 4 and 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = NamedConv(3, 32, 3, 2, act=nn.ReLU(inplace=True))
        self.branch1 = nn.Sequential(NamedConv(16, 16, 3, 2, groups=16), NamedConv(16, 16, act=nn.ReLU(inplace=True)))
        self.expand_conv = NamedConv(16, 32, act=nn.ReLU(inplace=True))
        self.depthwise_conv = NamedConv(32, 32, 3, 2, groups=32)
        self.linear_conv = NamedConv(32, 16, act=nn.ReLU(inplace=True))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 32, H / 4, W / 4)."""
        left, right = self.conv1(image).chunk(2, dim=1)
        return interleave(self.branch1(left), self.linear_conv(self.depthwise_conv(self.expand_conv(right))))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit of stride 1 with the authors' names."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(
            NamedConv(half, half, act=nn.ReLU(inplace=True)),
            NamedConv(half, half, 3, groups=half),
            NamedConv(half, half, act=nn.ReLU(inplace=True)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        left, right = x.chunk(2, dim=1)
        return interleave(left, self.branch2(right))


class Branches(nn.ModuleList):
    """Parallel modules, one for each branch."""

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first."""
        return [branch(x) for branch, x in zip(self, maps, strict=True)]


class Exchange(nn.Module):
    """Two blocks on each branch, then fusion of all branches.

    Args:
        widths: channels of the branches, finest first.
        block: see `LiteHRNet.block`.
        published: see `LiteHRNet.exchange`.
    """

    def __init__(self, widths: Sequence[int], block: str, published: bool) -> None:
        super().__init__()
        self.published = published
        if block == "weighting":
            self.layers: nn.Module = nn.Sequential(*(ConditionalWeighting(widths) for _ in range(BLOCKS)))
        else:
            self.layers = Branches(nn.Sequential(*(ShuffleUnit(width) for _ in range(BLOCKS))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )
        self.relu = nn.ModuleList(nn.ReLU() for _ in widths)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first, sizes kept."""
        heard = self.layers(maps)
        fused: list[Tensor] = []
        for paths, relu in zip(self.fuse_layers, self.relu, strict=True):
            finest, *rest = (path(x) for path, x in zip(cast(nn.ModuleList, paths), heard, strict=True))
            total = sum(rest, start=2 * finest if self.published else finest)
            if self.published and not fused:
                heard = [total, *heard[1:]]
            fused.append(relu(total))
        return fused


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Layers from one branch's resolution and channels to another's."""
    before, after = widths[source], widths[target]
    if source == target:
        return nn.Identity()
    if source > target:
        grow = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*ConvNormAct(before, after, act=None), grow)
    steps = [_separable(before, before, 2, nn.ReLU(inplace=True)) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, _separable(before, after, 2, None))


def _separable(before: int, after: int, stride: int, act: nn.Module | None) -> nn.Sequential:
    """Depth-wise 3x3 and 1x1, each with a norm."""
    depthwise = ConvNormAct(before, before, 3, stride, groups=before, act=None)
    return nn.Sequential(*depthwise, *ConvNormAct(before, after, act=None), *([] if act is None else [act]))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Transition to the channels of the next stage; the new branch is made from the coarsest."""
    kept = [
        nn.Identity() if old == new else _separable(old, new, 1, nn.ReLU(inplace=True))
        for old, new in zip(before, after, strict=False)
    ]
    return nn.ModuleList([*kept, nn.Sequential(_separable(before[-1], after[-1], 2, nn.ReLU(inplace=True)))])


class FromCoarse(nn.Module):
    """From the coarsest branch to the finest: upsample, add, separable convolution.

    Args:
        widths: channels of the branches, finest first.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        coarse = [*reversed(widths), widths[0]]
        self.projects = nn.ModuleList(
            nn.ModuleDict(
                {
                    "depthwise_conv": NamedConv(before, before, 3, groups=before),
                    "pointwise_conv": NamedConv(before, after, act=nn.ReLU(inplace=True)),
                }
            )
            for before, after in pairwise(coarse)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first, sizes kept; each has the channels of the next finer one."""
        mixed: list[Tensor] = []
        for x, project in zip(reversed(maps), self.projects, strict=True):
            layers = cast(nn.ModuleDict, project)
            if mixed:
                x = x + F.interpolate(mixed[-1], scale_factor=2, mode="bilinear", align_corners=True)
            mixed.append(layers["pointwise_conv"](layers["depthwise_conv"](x)))
        return mixed[::-1]


class LiteHRNetBackbone(nn.Module):
    """Four branches, strides 4 to 32, each merged with the coarser ones; the published networks use only the finest."""

    strides = (4, 8, 16, 32)
    multiple = 32
    transition0: nn.ModuleList
    transition1: nn.ModuleList
    transition2: nn.ModuleList
    stage0: nn.Sequential
    stage1: nn.Sequential
    stage2: nn.Sequential

    def __init__(self, depth: int, block: str, exchange: str) -> None:
        super().__init__()
        widths = [WIDTH[block] << branch for branch in range(4)]
        self.channels = (widths[0], *widths[:-1])
        self.stem = Stem()
        before = [32]
        for stage, count in enumerate(MODULES[depth]):
            after = widths[: stage + 2]
            self.add_module(f"transition{stage}", _transition(before, after))
            modules = (Exchange(after, block, exchange == "published") for _ in range(count))
            self.add_module(f"stage{stage}", nn.Sequential(*modules))
            before = after
        self.head_layer = FromCoarse(widths)
        init_normal(self, 0.001)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        maps = [self.stem(image)]
        for transition, stage in (
            (self.transition0, self.stage0),
            (self.transition1, self.stage1),
            (self.transition2, self.stage2),
        ):
            *kept, new = transition
            maps = stage([*(fit(x) for fit, x in zip(kept, maps, strict=True)), new(maps[-1])])
        fine: list[Tensor] = self.head_layer(maps)
        return fine
