"""Feature pyramid: the backbone's maps, each told what the coarser ones saw, and coarser ones still.

Lin et al. 2017, arXiv:1612.03144; with the levels of FCOS, Tian et al. 2019, arXiv:1904.01355.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import fill_bias
from posekit.models.necks.levels import by_stride


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FPN:
    """Several maps of equal channels, for heads that look for small instances in fine ones and large in coarse ones.

    Unlike the necks of one map it is no part of a network for one crop.
    """

    channels: int = Field(default=256, gt=0)
    """channels of every level of the pyramid; published: 256"""
    finest: int = Field(default=8, gt=0)
    """stride of the finest level in pixels, one of the backbone's; small strides find small instances but are slow"""
    extra: int = Field(default=2, ge=0)
    """levels beyond the backbone's last map, each half as large as the one before; for instances that fill the image"""
    kind: Literal["fpn"] = "fpn"

    def build(self, channels: Sequence[int], strides: Sequence[int]) -> FPNNeck:
        """The pyramid; its ``strides`` tell the maps', its ``channels`` how many each has.

        Args:
            channels: of the backbone's maps.
            strides: of the backbone's maps.

        Raises:
            ValueError: the backbone lacks the finest map, or one on the way to its last.
        """
        levels = by_stride(strides)
        wanted = [self.finest]
        while wanted[-1] < strides[-1]:
            wanted.append(2 * wanted[-1])
        lacking = [stride for stride in wanted if stride not in levels]
        if lacking:
            raise ValueError(
                f"a pyramid from stride {self.finest} wants maps of strides {', '.join(map(str, wanted))}; this one "
                f"gives {', '.join(map(str, levels))}: choose a finest stride that it doubles from"
            )
        chosen = [levels[stride] for stride in wanted]
        return FPNNeck(chosen, [channels[index] for index in chosen], self.channels, wanted, self.extra)


class FPNNeck(nn.Module):
    """1x1 into equal channels, coarse added to fine, 3x3; then halved on.

    Args:
        indices: of the backbone's maps, finest first.
        before: their channels.
        width: channels that go out.
        strides: of the chosen maps.
        extra: maps beyond the last.
    """

    def __init__(
        self, indices: Sequence[int], before: Sequence[int], width: int, strides: Sequence[int], extra: int
    ) -> None:
        super().__init__()
        self.indices = list(indices)
        self.channels = width
        self.strides = (*strides, *(strides[-1] << (step + 1) for step in range(extra)))
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in before)
        self.output = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in before)
        self.extra = nn.ModuleList(nn.Conv2d(width, width, 3, 2, 1) for _ in range(extra))
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                fill_bias(layer)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps to (B, channels, H / stride, W / stride) a stride, finest first.

        The first extra map is made of the pyramid's last (FCOS), not of the backbone's (RetinaNet).
        """
        merged: list[Tensor] = []
        for index, lateral in zip(reversed(self.indices), reversed(self.lateral), strict=True):
            side = lateral(maps[index])
            merged.insert(0, side if not merged else side + self.grow(merged[0]))
        levels = [output(x) for output, x in zip(self.output, merged, strict=True)]
        for step, halve in enumerate(self.extra):
            levels.append(halve(levels[-1].relu() if step else levels[-1]))
        return levels
