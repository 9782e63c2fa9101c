"""ResNet "v1.5", as in torchvision and HRNet's code: in bottlenecks the 3x3 convolution has the stride.

He et al. 2015, arXiv:1512.03385. State-dict names are torchvision's. Weights from Caffe (stride on the first 1x1) fit
by name but not by meaning.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import init_fan_out, rectify
from posekit.models.layers.divisible import make_divisible
from posekit.models.weights import load_weights

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ResNet:
    """The backbone of SimpleBaseline; pretrained weights are widely available."""

    depth: Literal[18, 34, 50, 101, 152] = 50
    """ResNet-18 to ResNet-152; 18 and 34 have basic blocks, the others bottlenecks"""
    width: float = Field(default=1.0, gt=0)
    """width multiplier: channels of every layer times this, in multiples of 8; pretrained weights need 1"""
    weights: str | None = None
    """file of pretrained weights, .safetensors or .pth, with torchvision's layer names; unset: random weights"""
    kind: Literal["resnet"] = "resnet"

    def build(self) -> ResNetBackbone:
        """The backbone."""
        ignored = ("fc.", "deconv_layers.", "final_layer.")
        return load_weights(ResNetBackbone(self.depth, self.width), self.weights, ignored)


class BasicBlock(nn.Module):
    """Basic block: two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = rectify()
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = rectify()
        self.downsample = shortcut(before, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, width, H / stride, W / stride)."""
        y: Tensor = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y = self.relu2(y + (x if self.downsample is None else self.downsample(x)))
        return y


class Bottleneck(nn.Module):
    """Bottleneck: 1x1 reduction, 3x3 with the stride, 1x1 to four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        after = width * self.expansion
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = rectify()
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = rectify()
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu3 = rectify()
        self.downsample = shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, 4 width, H / stride, W / stride)."""
        y: Tensor = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y = self.relu3(y + (x if self.downsample is None else self.downsample(x)))
        return y


def shortcut(before: int, after: int, stride: int) -> nn.Module | None:
    """1x1 and norm where a block changes size or channels, else None: the shortcut is the input itself."""
    if stride == 1 and before == after:
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class ResNetBackbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32."""

    strides = (4, 8, 16, 32)
    multiple = 32
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, depth: int, width: float = 1.0) -> None:
        super().__init__()
        block = BasicBlock if depth < 50 else Bottleneck
        before, *_ = widths = tuple(make_divisible(base * width) for base in (64, 128, 256, 512))
        self.conv1 = nn.Conv2d(3, before, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        self.relu = rectify()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.channels = tuple(channels * block.expansion for channels in widths)
        for index, (channels, count) in enumerate(zip(widths, BLOCKS[depth], strict=True)):
            after = channels * block.expansion
            rest = [block(after, channels) for _ in range(count - 1)]
            self.add_module(f"layer{index + 1}", nn.Sequential(block(before, channels, 1 if index == 0 else 2), *rest))
            before = after
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps
