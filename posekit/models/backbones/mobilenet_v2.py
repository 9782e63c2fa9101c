"""MobileNetV2: inverted residuals with linear bottlenecks. Sandler et al. 2018, arXiv:1801.04381.

State-dict names are torchvision's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import ConvNormAct, init_fan_out, rectify6
from posekit.models.layers.divisible import make_divisible
from posekit.models.layers.stages import stage_ends
from posekit.models.weights import load_weights

# expansion, channels, blocks, stride of the first block: table 2 of the paper.
ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MobileNetV2:
    """A small backbone that runs well on most hardware."""

    width: float = Field(default=1.0, gt=0)
    """width multiplier: channels of every layer times this, in multiples of 8; the last layer has 1280 or more"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with torchvision's layer names; unset: random weights"""
    kind: Literal["mobilenet_v2"] = "mobilenet_v2"

    def build(self) -> MobileNetV2Backbone:
        """The backbone."""
        return load_weights(MobileNetV2Backbone(self.width), self.weights, ignored=("classifier.",))


class InvertedResidual(nn.Module):
    """Inverted residual: 1x1 expansion (unless 1), depth-wise 3x3, linear 1x1; residual if the shapes agree."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = before * expansion
        up = [ConvNormAct(before, hidden, act=rectify6)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *up,
            ConvNormAct(hidden, hidden, 3, stride, groups=hidden, act=rectify6),
            nn.Conv2d(hidden, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2Backbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32; the last has 1280 channels."""

    multiple = 32

    def __init__(self, width: float) -> None:
        super().__init__()
        before = make_divisible(32 * width)
        blocks: list[nn.Module] = [ConvNormAct(3, before, 3, 2, act=rectify6)]
        strides, outs = [2], [before]
        for expansion, channels, count, first in ROWS:
            after = make_divisible(channels * width)
            for stride in (first, *[1] * (count - 1)):
                blocks.append(InvertedResidual(before, after, stride, expansion))
                strides.append(stride)
                outs.append(after)
                before = after
        last = make_divisible(1280 * max(1.0, width))
        self.features = nn.Sequential(*blocks, ConvNormAct(before, last, act=rectify6))
        ends = stage_ends((*strides, 1))
        self.ends = tuple(ends.values())
        self.strides = tuple(ends)
        self.channels = tuple((*outs, last)[end] for end in self.ends)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x, maps = image, []
        for index, block in enumerate(self.features):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return maps
