"""ShuffleNetV2: half of the channels pass each unit unchanged. Ma et al. 2018, arXiv:1807.11164.

State-dict names are torchvision's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import init_fan_out
from posekit.models.layers.shuffle import interleave
from posekit.models.weights import load_weights

# Channels of the stages and of the last convolution, by width.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
UNITS = (4, 8, 4)


if TYPE_CHECKING:
    # A type checker takes no fractions as literals.
    Width = float
else:
    Width = Literal[0.5, 1.0, 1.5, 2.0]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ShuffleNetV2:
    """The cheapest backbone to train on a CPU."""

    width: Width = 1.0
    """width multiplier on the channels; 1.0 has 1.3 M parameters"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with torchvision's layer names; unset: random weights"""
    kind: Literal["shufflenet_v2"] = "shufflenet_v2"

    def build(self) -> ShuffleNetV2Backbone:
        """The backbone."""
        return load_weights(ShuffleNetV2Backbone(self.width), self.weights, ignored=("fc.",))


def _pointwise(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
    ]


class Unit(nn.Module):
    """Process half of the channels and keep the other half; at stride 2 process all in both branches; shuffle."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        half = after // 2
        self.stride = stride
        self.branch1 = nn.Sequential(*([*_depthwise(before, 2), *_pointwise(before, half)] if stride == 2 else []))
        start = before if stride == 2 else half
        self.branch2 = nn.Sequential(
            *_pointwise(start, half),
            *_depthwise(half, stride),
            *_pointwise(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        if self.stride == 2:
            return interleave(self.branch1(x), self.branch2(x))
        left, right = x.chunk(2, dim=1)
        return interleave(left, self.branch2(right))


class ShuffleNetV2Backbone(nn.Module):
    """Maps of strides 4 (24 channels, of the stem), 8, 16 and 32."""

    strides = (4, 8, 16, 32)
    multiple = 32
    stage2: nn.Sequential
    stage3: nn.Sequential
    stage4: nn.Sequential

    def __init__(self, width: float) -> None:
        super().__init__()
        *stages, last = CHANNELS[width]
        self.channels = (24, *stages[:-1], last)
        self.conv1 = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 24
        for index, (after, count) in enumerate(zip(stages, UNITS, strict=True)):
            rest = [Unit(after, after, 1) for _ in range(count - 1)]
            self.add_module(f"stage{index + 2}", nn.Sequential(Unit(before, after, 2), *rest))
            before = after
        self.conv5 = nn.Sequential(*_pointwise(before, last))
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        c2 = self.maxpool(self.conv1(image))
        c3 = self.stage2(c2)
        c4 = self.stage3(c3)
        c5 = self.conv5(self.stage4(c4))
        return [c2, c3, c4, c5]
