"""Stacked hourglasses: down to stride 64 and up again, several times, with output maps after each.

Newell et al. 2016, arXiv:1603.06937.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

# Number of downsampling steps of an hourglass.
DEPTH = 4


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Hourglass:
    """Stacked hourglass network, with output maps for intermediate supervision after each stack.

    It outputs heatmaps itself, so it is a whole network and not a backbone for other heads.
    """

    points: int = Field(gt=0)
    """output maps of each stack, one for each keypoint"""
    stacks: int = Field(default=2, gt=0)
    """number of stacks; published: 2, 4 or 8"""
    channels: int = Field(default=256, gt=0, multiple_of=4)
    """channels of the feature maps; published: 256"""
    kind: Literal["hourglass"] = "hourglass"

    def build(self) -> HourglassNet:
        """The network."""
        return HourglassNet(self.points, self.stacks, self.channels)


class Residual(nn.Module):
    """Pre-activation bottleneck: norm, ReLU and convolution, three times (1x1, 3x3, 1x1), with a shortcut.

    Args:
        before: input channels.
        after: output channels; half of them inside.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        within = after // 2
        self.body = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.ReLU(inplace=True),
            nn.Conv2d(before, within, 1),
            nn.BatchNorm2d(within),
            nn.ReLU(inplace=True),
            nn.Conv2d(within, within, 3, padding=1),
            nn.BatchNorm2d(within),
            nn.ReLU(inplace=True),
            nn.Conv2d(within, after, 1),
        )
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        y: Tensor = self.body(x) + self.shortcut(x)
        return y


class Waist(nn.Module):
    """One level of an hourglass and, recursively, all lower ones.

    Args:
        depth: number of levels, including this one.
        channels: channels of every map.
    """

    def __init__(self, depth: int, channels: int) -> None:
        super().__init__()
        self.side = Residual(channels, channels)
        self.shrink = nn.Sequential(nn.MaxPool2d(2), Residual(channels, channels))
        self.inner = Waist(depth - 1, channels) if depth > 1 else Residual(channels, channels)
        self.grow = nn.Sequential(Residual(channels, channels), nn.Upsample(scale_factor=2, mode="nearest"))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W), size kept; H and W are multiples of 2 to the power of ``depth``."""
        y: Tensor = self.side(x) + self.grow(self.inner(self.shrink(x)))
        return y


class Stack(nn.Module):
    """An hourglass, its output maps, and the input of the next stack.

    Args:
        channels: channels of the feature maps.
        points: number of output maps.
        last: whether this is the last stack.
    """

    def __init__(self, channels: int, points: int, last: bool) -> None:
        super().__init__()
        self.hourglass = nn.Sequential(Waist(DEPTH, channels), Residual(channels, channels))
        self.mix = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.score = nn.Conv2d(channels, points, 1)
        self.last = last
        if not last:
            self.from_mix = nn.Conv2d(channels, channels, 1)
            self.from_score = nn.Conv2d(points, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, H, W) to heatmaps (B, points, H, W) and the next stack's input (the last: its own input)."""
        y = self.mix(self.hourglass(x))
        score = self.score(y)
        return score, x if self.last else x + self.from_mix(y) + self.from_score(score)


class HourglassNet(nn.Module):
    """Heatmaps of stride 4 from every stack; the last is the most accurate.

    Args:
        points: output maps of each stack.
        stacks: number of stacks.
        channels: channels of the feature maps.
    """

    multiple = 4 << DEPTH

    def __init__(self, points: int, stacks: int, channels: int) -> None:
        super().__init__()
        self.channels = (points,) * stacks
        self.strides = (4,) * stacks
        first, second = channels // 4, channels // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 7, 2, 3),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            Residual(first, second),
            nn.MaxPool2d(2),
            Residual(second, channels),
            Residual(channels, channels),
        )
        self.stacks = nn.ModuleList(Stack(channels, points, index == stacks - 1) for index in range(stacks))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to (B, points, H / 4, W / 4) for each stack, in order."""
        x = self.stem(image)
        scores = []
        for stack in self.stacks:
            score, x = stack(x)
            scores.append(score)
        return scores
