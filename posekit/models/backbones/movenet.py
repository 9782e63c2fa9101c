"""MoveNet's backbone: MobileNetV2 with batch norms folded into the convolutions.

Google, 2021; the published networks (Apache-2.0) are read by `posekit.models.tfjs`. Padding is TensorFlow's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.mobilenet_v2 import ROWS
from posekit.models.layers.conv import SameConv2d, init_fan_out, rectify6
from posekit.models.layers.divisible import make_divisible
from posekit.models.layers.stages import stage_ends
from posekit.models.weights import load_weights

WIDTHS = {"lightning": 1.0, "thunder": 1.75, "multipose": 1.5}
"""Factor on the channels of every layer but the last, which has 1280."""
LAST = 1280
SCALE = 0.0078430176
"""Scale of pixels in the published networks, before 1 is subtracted; nearly 2 / 255."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MoveNet:
    """The backbone of MoveNet, pretrained on people: a good start for bodies, hands and animals on a CPU."""

    version: Literal["lightning", "thunder", "multipose"] = "lightning"
    """width of the backbone: lightning 1, thunder 1.75, multipose 1.5 times MobileNetV2"""
    weights: str | None = None
    """pretrained weights: name or folder of a model, or file with our layer names; unset: random weights"""
    kind: Literal["movenet"] = "movenet"

    def build(self) -> MoveNetBackbone:
        """The backbone."""
        return load_weights(MoveNetBackbone(WIDTHS[self.version]), self.weights)


class Block(nn.Module):
    """Inverted residual: 1x1 expansion (unless 1), depth-wise 3x3, linear 1x1; residual if the shapes agree."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = before * expansion
        self.expand = nn.Identity() if expansion == 1 else nn.Conv2d(before, hidden, 1)
        self.act1 = nn.Identity() if expansion == 1 else rectify6()
        self.depthwise = SameConv2d(hidden, hidden, 3, stride, groups=hidden, bias=True)
        self.act2 = rectify6()
        self.project = nn.Conv2d(hidden, after, 1)
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.project(self.act2(self.depthwise(self.act1(self.expand(x)))))
        return x + y if self.residual else y


class MoveNetBackbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32; the last has 1280 channels.

    The map of stride 16 is the last one with 64 channels, not with the 96 that follow: that is where MoveNet's pyramid
    reads.
    """

    multiple = 32
    mean = (1 / (255 * SCALE),) * 3
    std = mean

    def __init__(self, width: float) -> None:
        super().__init__()
        before = make_divisible(32 * width)
        self.stem = SameConv2d(3, before, 3, 2, bias=True)
        self.act = rectify6()
        blocks: list[nn.Module] = []
        strides, outs, first_of_96 = [], [], 0
        for expansion, channels, count, first in ROWS:
            if channels == 96:
                first_of_96 = len(blocks)
            after = make_divisible(channels * width)
            for stride in (first, *[1] * (count - 1)):
                blocks.append(Block(before, after, stride, expansion))
                strides.append(stride)
                outs.append(after)
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Conv2d(before, LAST, 1)
        self.act_last = rectify6()
        ends = stage_ends((2 * strides[0], *strides[1:]))
        ends[16] = first_of_96 - 1
        self.ends = tuple(ends.values())
        self.strides = tuple(ends)
        self.channels = (*(outs[end] for end in self.ends[:-1]), LAST)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x, maps = self.act(self.stem(image)), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends[:-1]:
                maps.append(x)
        return [*maps, self.act_last(self.last(x))]
