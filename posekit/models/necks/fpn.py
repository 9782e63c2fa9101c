"""Feature pyramid network (FPN): top-down path over the backbone's maps, with additional coarser levels.

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
    """Feature pyramid: several levels with equal channels; small instances are found on fine levels, large on coarse.

    For one-stage heads only; top-down networks need a neck with one output.
    """

    channels: int = Field(default=256, gt=0)
    """channels of every level of the pyramid; published: 256"""
    finest: int = Field(default=8, gt=0)
    """stride of the finest level in pixels, one of the backbone's; small strides find small instances but are slow"""
    extra: int = Field(default=2, ge=0)
    """levels beyond the backbone's last map, each half as large as the one before; for instances that fill the image"""
    kind: Literal["fpn"] = "fpn"

    def build(self, channels: Sequence[int], strides: Sequence[int]) -> FPNNeck:
        """The pyramid; attribute ``strides`` holds the strides of its levels, ``channels`` their channels.

        Args:
            channels: channels of the backbone's maps.
            strides: strides of the backbone's maps.

        Raises:
            ValueError: the backbone has no map at one of the strides from the finest level to its last.
        """
        levels = by_stride(strides)
        wanted = [self.finest]
        while wanted[-1] < strides[-1]:
            wanted.append(2 * wanted[-1])
        lacking = [stride for stride in wanted if stride not in levels]
        if lacking:
            raise ValueError(
                f"a pyramid from stride {self.finest} needs maps of strides {', '.join(map(str, wanted))}, but the "
                f"backbone outputs {', '.join(map(str, levels))}: set neck.finest to one from which these double"
            )
        chosen = [levels[stride] for stride in wanted]
        return FPNNeck(chosen, [channels[index] for index in chosen], self.channels, wanted, self.extra)


class FPNNeck(nn.Module):
    """1x1 convolutions to equal channels, top-down sums, 3x3 convolutions; then strided convolutions.

    Args:
        indices: indices of the backbone's maps, finest first.
        before: their channels.
        width: output channels.
        strides: strides of these maps.
        extra: additional coarser levels.
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
        """The backbone's maps to (B, channels, H / stride, W / stride) for each level, finest first.

        The first extra level is made from the pyramid's last level (as in FCOS), not the backbone's (RetinaNet).
        """
        merged: list[Tensor] = []
        for index, lateral in zip(reversed(self.indices), reversed(self.lateral), strict=True):
            side = lateral(maps[index])
            merged.insert(0, side if not merged else side + self.grow(merged[0]))
        levels = [output(x) for output, x in zip(self.output, merged, strict=True)]
        for step, halve in enumerate(self.extra):
            levels.append(halve(levels[-1].relu() if step else levels[-1]))
        return levels
