"""HRNet: parallel branches of several resolutions with repeated fusion. Sun et al. 2019, arXiv:1902.09212.

State-dict names are those of the authors' repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.resnet import BasicBlock, Bottleneck
from posekit.models.layers.conv import ConvNormAct, init_normal, rectify
from posekit.models.weights import load_weights

# Modules of stages 2, 3 and 4; stage s has s branches of four basic blocks.
MODULES = (1, 4, 3)
BLOCKS = 4


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class HRNet:
    """A backbone that keeps a stride-4 branch throughout: accurate but slow."""

    width: Literal[32, 48] = 32
    """channels of the stride-4 branch: HRNet-W32 or W48; each coarser branch has twice as many"""
    multi_scale: bool = False
    """output the maps of all four branches (strides 4 to 32), as DEKR needs; off: the stride-4 map alone"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with the authors' layer names; unset: random weights"""
    kind: Literal["hrnet"] = "hrnet"

    def build(self) -> HRNetBackbone:
        """The backbone."""
        ignored = ["final_layer.", "classifier.", "incre_modules.", "downsamp_modules."]
        if not self.multi_scale:
            # Files of the classification network have the fusion layers of all branches also in the last module.
            ignored += [f"stage4.{MODULES[-1] - 1}.fuse_layers.{branch}." for branch in (1, 2, 3)]
        return load_weights(HRNetBackbone(self.width, self.multi_scale), self.weights, ignored)


class Exchange(nn.Module):
    """Four blocks on each branch, then fusion of all branches.

    Args:
        widths: channels of the branches, finest first.
        outputs: number of output branches.
    """

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(BLOCKS))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths))) for target in range(outputs)
        )
        self.relu = nn.ModuleList(nn.ReLU() for _ in range(outputs))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches, finest first, to as many as there are outputs."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for paths, relu in zip(self.fuse_layers, self.relu, strict=True):
            first, *rest = (path(x) for path, x in zip(cast(nn.ModuleList, paths), maps, strict=True))
            fused.append(relu(sum(rest, start=first)))
        return fused


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Layers from one branch's resolution and channels to another's."""
    before, after = widths[source], widths[target]
    if source == target:
        return nn.Identity()
    if source > target:
        grow = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*ConvNormAct(before, after, act=None), grow)
    steps = [ConvNormAct(before, before, 3, 2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, ConvNormAct(before, after, 3, 2, act=None))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Transition to the channels of the next stage; the new branch is made from the coarsest."""
    kept = [nn.Identity() if old == new else ConvNormAct(old, new, 3) for old, new in zip(before, after, strict=False)]
    return nn.ModuleList([*kept, nn.Sequential(ConvNormAct(before[-1], after[-1], 3, 2))])


class HRNetBackbone(nn.Module):
    """Outputs the finest branch (stride 4), or all four (strides 4, 8, 16, 32)."""

    multiple = 32
    transition1: nn.ModuleList
    transition2: nn.ModuleList
    transition3: nn.ModuleList
    stage2: nn.Sequential
    stage3: nn.Sequential
    stage4: nn.Sequential

    def __init__(self, width: int, multi_scale: bool) -> None:
        super().__init__()
        widths = [width << branch for branch in range(4)]
        outputs = 4 if multi_scale else 1
        self.channels = tuple(widths[:outputs])
        self.strides = (4, 8, 16, 32)[:outputs]
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu1 = rectify()
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.relu2 = rectify()
        self.layer1 = nn.Sequential(*(Bottleneck(256 if index else 64, 64) for index in range(4)))
        before = [256]
        for stage, count in enumerate(MODULES, start=2):
            after = widths[:stage]
            self.add_module(f"transition{stage - 1}", _transition(before, after))
            ends = [stage] * count
            ends[-1] = outputs if stage == 4 else stage
            self.add_module(f"stage{stage}", nn.Sequential(*(Exchange(after, end) for end in ends)))
            before = after
        init_normal(self, 0.001)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to one or four maps, finest first."""
        x = self.relu1(self.bn1(self.conv1(image)))
        maps = [self.layer1(self.relu2(self.bn2(self.conv2(x))))]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            *kept, new = transition
            maps = stage([*(fit(x) for fit, x in zip(kept, maps, strict=True)), new(maps[-1])])
        return maps
