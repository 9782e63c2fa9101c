"""A light neck with guided upsampling: finer maps of the backbone guide how coarse maps are interpolated.

As `Upsample`, with pixel-adaptive transposed convolutions (Su et al. 2019, arXiv:1904.05373) for bilinear upsampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import SeparableConv, fill_bias, init_fan_out
from posekit.models.layers.pixel_adaptive_up import PacConvTranspose2d
from posekit.models.necks.levels import by_stride, halvings

KERNEL = 5
SMALL = 0.1
"""Initial standard deviation of the guides, for maps whose values are about 1."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Guided:
    """Upsample the last map step by step, guided by finer maps of the backbone, which are then added."""

    channels: int = Field(default=64, gt=0)
    """channels of every layer"""
    guide: int = Field(default=4, gt=0)
    """channels of the guidance map that steers pixel-adaptive upsampling"""
    shared: bool = True
    """upsample all channels by one shared filter, which is cheap; off: a full filter for each pair, as published"""
    kind: Literal["guided"] = "guided"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> GuidedNeck:
        """The neck; see `Plain.build`.

        Raises:
            ValueError: the backbone's last stride is not ``reduction`` times a power of 2.
        """
        levels = by_stride(strides)
        steps = [strides[-1] >> n for n in range(halvings(strides[-1], reduction) + 1)]
        chosen = [levels.get(stride) for stride in steps]
        before = [None if index is None else channels[index] for index in chosen]
        return GuidedNeck(chosen, before, self.channels, self.guide, self.shared, reduction)


class GuidedNeck(nn.Module):
    """From coarse to fine: guided upsampling, sum with the backbone's map, convolution; bilinear if there is no map.

    Upsampling is initialised as bilinear, with guides close to 0.

    Args:
        indices: for each resolution, coarsest first, the index of the backbone's map or None.
        before: channels of that map.
        width: hidden and output channels.
        guide: channels of the guides.
        shared: one filter for all channels.
        stride: stride of the output.
    """

    def __init__(
        self, indices: list[int | None], before: list[int | None], width: int, guide: int, shared: bool, stride: int
    ) -> None:
        super().__init__()
        self.indices = indices
        self.lateral = nn.ModuleList(nn.Identity() if c is None else nn.Conv2d(c, width, 1) for c in before)
        self.guide = nn.ModuleList(nn.Identity() if c is None else nn.Conv2d(c, guide, 1) for c in before[1:])
        self.grow = nn.ModuleList(_growth(width, shared, guided=c is not None) for c in before[1:])
        self.mix = nn.ModuleList(SeparableConv(width, width) for _ in indices)
        self.relu = nn.ModuleList(nn.ReLU(inplace=True) for _ in indices)
        self.channels = width
        self.stride = stride
        init_fan_out(self.mix)
        for layer in (*self.lateral, *self.guide):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                fill_bias(layer)
        for layer in self.guide:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=SMALL * layer.in_channels**-0.5)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The list of the backbone's maps to (B, channels, H / stride, W / stride)."""
        x = self._mixed(0, self.lateral[0](maps[cast(int, self.indices[0])]))
        for step, (index, guide, grow) in enumerate(zip(self.indices[1:], self.guide, self.grow, strict=True), start=1):
            if index is None:
                x = self._mixed(step, grow(x))
            else:
                x = self._mixed(step, grow(x, guide(maps[index])) + self.lateral[step](maps[index]))
        return x

    def _mixed(self, step: int, x: Tensor) -> Tensor:
        y: Tensor = self.mix[step](self.relu[step](x))
        return y


def _growth(width: int, shared: bool, guided: bool) -> nn.Module:
    if not guided:
        return nn.Upsample(scale_factor=2, mode="bilinear")
    grow = PacConvTranspose2d(width, width, KERNEL, shared=shared, bias=False)
    grow.reset_bilinear()
    return grow
