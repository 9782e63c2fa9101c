"""MobileNetV3, large and small: MobileNetV2's blocks with squeeze-excite and hard-swish, sizes found by search.

Howard et al. 2019, arXiv:1905.02244. State-dict names are torchvision's.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import ConvNormAct, init_fan_out, rectify
from posekit.models.layers.divisible import make_divisible
from posekit.models.layers.squeeze import SqueezeExcite
from posekit.models.layers.stages import stage_ends
from posekit.models.weights import load_weights

# kernel, expanded, out, squeeze-excite, hard-swish, stride: tables 1 and 2 of the paper.
LARGE = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
SMALL = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)
ROWS = {"large": LARGE, "small": SMALL}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MobileNetV3:
    """A backbone for phones and single-core machines."""

    size: Literal["small", "large"] = "small"
    """small: 0.9 M parameters and 0.05 GMACs at 256x192; large: 3.0 M and 0.21"""
    momentum: float = Field(default=0.01, gt=0, le=1)
    """momentum of batch norm's running statistics; published: 0.01; use 0.1 for runs of a few hundred steps"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with torchvision's layer names; unset: random weights"""
    kind: Literal["mobilenet_v3"] = "mobilenet_v3"

    def build(self) -> MobileNetV3Backbone:
        """The backbone."""
        return load_weights(MobileNetV3Backbone(self.size, self.momentum), self.weights, ignored=("classifier.",))


class InvertedResidual(nn.Module):
    """Inverted residual: 1x1 expansion, depth-wise, squeeze-excite, linear 1x1; residual if the shapes agree."""

    def __init__(self, before: int, row: tuple[int, int, int, bool, bool, int], conv: partial[ConvNormAct]) -> None:
        super().__init__()
        kernel, hidden, after, squeeze, swish, stride = row
        act = nn.Hardswish if swish else rectify
        self.block = nn.Sequential(
            *([conv(before, hidden, act=act)] if hidden != before else []),
            conv(hidden, hidden, kernel, stride, groups=hidden, act=act),
            *([SqueezeExcite(hidden, make_divisible(hidden // 4))] if squeeze else []),
            conv(hidden, after, act=None),
        )
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNetV3Backbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32; the last has six times the channels of the last block."""

    multiple = 32

    def __init__(self, size: str, momentum: float = 0.01) -> None:
        super().__init__()
        rows = ROWS[size]
        conv = partial(ConvNormAct, eps=1e-3, momentum=momentum)
        outs = [16, *(row[2] for row in rows), 6 * rows[-1][2]]
        blocks = [InvertedResidual(before, row, conv) for before, row in zip(outs, rows, strict=False)]
        self.features = nn.Sequential(
            conv(3, 16, 3, 2, act=nn.Hardswish), *blocks, conv(outs[-2], outs[-1], act=nn.Hardswish)
        )
        ends = stage_ends((2, *(row[5] for row in rows), 1))
        self.ends = tuple(ends.values())
        self.strides = tuple(ends)
        self.channels = tuple(outs[end] for end in self.ends)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x, maps = image, []
        for index, block in enumerate(self.features):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return maps
