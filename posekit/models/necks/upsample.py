"""A light neck: coarse maps are upsampled and added to finer ones, with separable convolutions.

After the feature pyramid of Lin et al. 2017, arXiv:1612.03144. Differs: one output; separable convolutions
with batch norm in place of plain ones without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import SeparableConv, fill_bias, init_fan_out
from posekit.models.necks.levels import by_stride, halvings


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Upsample:
    """Upsample the last map step by step and add the backbone's finer maps; cheap, for small networks."""

    channels: int = Field(default=64, gt=0)
    """channels of every layer"""
    mode: Literal["bilinear", "nearest"] = "bilinear"
    """interpolation for upsampling"""
    kind: Literal["upsample"] = "upsample"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> UpsampleNeck:
        """The neck; see `Plain.build`.

        Raises:
            ValueError: the backbone's last stride is not ``reduction`` times a power of 2.
        """
        levels = by_stride(strides)
        steps = [strides[-1] >> n for n in range(halvings(strides[-1], reduction) + 1)]
        chosen = [levels.get(stride) for stride in steps]
        laterals = [None if index is None else channels[index] for index in chosen]
        return UpsampleNeck(chosen, laterals, self.channels, self.mode, reduction)


class UpsampleNeck(nn.Module):
    """From coarse to fine: upsample, add the backbone's map if there is one, separable convolution.

    Args:
        indices: for each resolution, coarsest first, the index of the backbone's map or None.
        laterals: channels of that map.
        width: hidden and output channels.
        mode: interpolation.
        stride: stride of the output.
    """

    def __init__(
        self, indices: list[int | None], laterals: list[int | None], width: int, mode: str, stride: int
    ) -> None:
        super().__init__()
        self.indices = indices
        self.lateral = nn.ModuleList(
            nn.Identity() if before is None else nn.Conv2d(before, width, 1) for before in laterals
        )
        self.mix = nn.ModuleList(SeparableConv(width, width) for _ in indices)
        self.grow = nn.Upsample(scale_factor=2, mode=mode)
        self.relu = nn.ReLU(inplace=True)
        self.channels = width
        self.stride = stride
        init_fan_out(self.mix)
        for layer in self.lateral.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                fill_bias(layer)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The list of the backbone's maps to (B, channels, H / stride, W / stride)."""
        x: Tensor | None = None
        for index, lateral, mix in zip(self.indices, self.lateral, self.mix, strict=True):
            grown = None if x is None else self.grow(x)
            side = None if index is None else lateral(maps[index])
            x = mix(self.relu(side if grown is None else grown if side is None else grown + side))
        return cast(Tensor, x)
