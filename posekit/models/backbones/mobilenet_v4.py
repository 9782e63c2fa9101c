"""MobileNetV4, its convolutional forms: inverted residuals with one or two depth-wise layers.

Qin et al. 2024, arXiv:2404.10518. State-dict names are those of timm's ``mobilenetv4_conv_*`` (code and weights
Apache-2.0).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import init_fan_out
from posekit.models.layers.named_conv import NamedConv
from posekit.models.weights import load_weights


class Plain(NamedTuple):
    """Sizes of a block of convolution, norm and ReLU."""

    kernel: int
    stride: int
    channels: int


class Fused(NamedTuple):
    """Sizes of a fused inverted residual: 3x3 convolution that expands, and linear 1x1."""

    stride: int
    expansion: int
    channels: int


class Universal(NamedTuple):
    """Sizes of a universal inverted residual; kernel size 0 leaves the layer out."""

    start: int
    middle: int
    stride: int
    expansion: int
    channels: int


Row = Plain | Fused | Universal

# Stages at strides 4, 8, 16 and 32 behind a stem of 32 channels.
STAGES: dict[str, tuple[tuple[Row, ...], ...]] = {
    "small": (
        (Plain(3, 2, 32), Plain(1, 1, 32)),
        (Plain(3, 2, 96), Plain(1, 1, 64)),
        (Universal(5, 5, 2, 3, 96), *[Universal(0, 3, 1, 2, 96)] * 4, Universal(3, 0, 1, 4, 96)),
        (
            Universal(3, 3, 2, 6, 128),
            Universal(5, 5, 1, 4, 128),
            Universal(0, 5, 1, 4, 128),
            Universal(0, 5, 1, 3, 128),
            *[Universal(0, 3, 1, 4, 128)] * 2,
        ),
    ),
    "medium": (
        (Fused(2, 4, 48),),
        (Universal(3, 5, 2, 4, 80), Universal(3, 3, 1, 2, 80)),
        (
            Universal(3, 5, 2, 6, 160),
            *[Universal(3, 3, 1, 4, 160)] * 2,
            Universal(3, 5, 1, 4, 160),
            Universal(3, 3, 1, 4, 160),
            Universal(3, 0, 1, 4, 160),
            Universal(0, 0, 1, 2, 160),
            Universal(3, 0, 1, 4, 160),
        ),
        (
            Universal(5, 5, 2, 6, 256),
            Universal(5, 5, 1, 4, 256),
            *[Universal(3, 5, 1, 4, 256)] * 2,
            Universal(0, 0, 1, 4, 256),
            Universal(3, 0, 1, 4, 256),
            Universal(3, 5, 1, 2, 256),
            Universal(5, 5, 1, 4, 256),
            *[Universal(0, 0, 1, 4, 256)] * 2,
            Universal(5, 0, 1, 2, 256),
        ),
    ),
}
STEM, LAST = 32, 960


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MobileNetV4:
    """A backbone for phones, with one million parameters and only convolutions and ReLU."""

    size: Literal["small", "medium"] = "small"
    """small: 1.3 M parameters; medium: 7.2 M"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with timm's layer names; unset: random weights"""
    kind: Literal["mobilenet_v4"] = "mobilenet_v4"

    def build(self) -> MobileNetV4Backbone:
        """The backbone."""
        ignored = ("conv_head.", "norm_head.", "classifier.")
        return load_weights(MobileNetV4Backbone(self.size), self.weights, ignored)


class ConvNorm(nn.Module):
    """See `Plain`; its norm is called ``bn1``."""

    def __init__(self, before: int, row: Plain) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, row.channels, row.kernel, row.stride, row.kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(row.channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride)."""
        y: Tensor = self.act(self.bn1(self.conv(x)))
        return y


class FusedResidual(nn.Module):
    """See `Fused`; residual if the shapes agree."""

    def __init__(self, before: int, row: Fused) -> None:
        super().__init__()
        hidden = before * row.expansion
        self.conv_exp = nn.Conv2d(before, hidden, 3, row.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.act = nn.ReLU(inplace=True)
        self.conv_pwl = nn.Conv2d(hidden, row.channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(row.channels)
        self.residual = row.stride == 1 and before == row.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride)."""
        y: Tensor = self.bn2(self.conv_pwl(self.act(self.bn1(self.conv_exp(x)))))
        return x + y if self.residual else y


class UniversalResidual(nn.Module):
    """See `Universal`; residual if the shapes agree.

    The middle depth-wise layer has the stride, or the first if there is no middle one.
    """

    def __init__(self, before: int, row: Universal) -> None:
        super().__init__()
        hidden = before * row.expansion
        first = 1 if row.middle else row.stride
        self.dw_start = NamedConv(before, before, row.start, first, groups=before) if row.start else nn.Identity()
        self.pw_exp = NamedConv(before, hidden, act=nn.ReLU(inplace=True))
        self.dw_mid = (
            NamedConv(hidden, hidden, row.middle, row.stride, groups=hidden, act=nn.ReLU(inplace=True))
            if row.middle
            else nn.Identity()
        )
        self.pw_proj = NamedConv(hidden, row.channels)
        self.residual = row.stride == 1 and before == row.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride)."""
        y: Tensor = self.pw_proj(self.dw_mid(self.pw_exp(self.dw_start(x))))
        return x + y if self.residual else y


def _block(before: int, row: Row) -> nn.Module:
    if isinstance(row, Plain):
        return ConvNorm(before, row)
    return FusedResidual(before, row) if isinstance(row, Fused) else UniversalResidual(before, row)


class MobileNetV4Backbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32; the last has 960 channels."""

    strides = (4, 8, 16, 32)
    multiple = 32

    def __init__(self, size: str) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(3, STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.act1 = nn.ReLU(inplace=True)
        before, stages = STEM, []
        for rows in (*STAGES[size], (Plain(1, 1, LAST),)):
            blocks = []
            for row in rows:
                blocks.append(_block(before, row))
                before = row.channels
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.channels = (*(rows[-1].channels for rows in STAGES[size][:-1]), LAST)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        *stages, deepest, last = self.blocks
        x, maps = self.act1(self.bn1(self.conv_stem(image))), []
        for stage in stages:
            x = stage(x)
            maps.append(x)
        return [*maps, last(deepest(x))]
