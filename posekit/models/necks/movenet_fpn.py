"""MoveNet's feature pyramid: one fine map with few channels, on which heads are cheap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import init_fan_out
from posekit.models.necks.levels import by_stride, halvings

LATERALS = (64, 64, 32, 24)
"""Channels of each level, coarsest first, as in the published networks."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MoveNetFPN:
    """Upsample the last map step by step and add the backbone's finer maps, with fewer channels on finer levels."""

    channels: tuple[int, ...] = Field(default=LATERALS, min_length=1)
    """channels of each level, coarsest first; the last is what the head reads; published: 64 64 32 24"""
    kind: Literal["movenet_fpn"] = "movenet_fpn"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> MoveNetFPNNeck:
        """The neck; see `Plain.build`.

        Raises:
            ValueError: the backbone's last stride is not ``reduction`` times a power of 2, the backbone has no map at a
                stride between, or ``channels`` has too few entries.
        """
        levels = by_stride(strides)
        wanted = [strides[-1] >> n for n in range(halvings(strides[-1], reduction) + 1)]
        lacking = [stride for stride in wanted if stride not in levels]
        if lacking:
            raise ValueError(
                f"this neck needs maps of strides {', '.join(map(str, wanted))}, but the backbone outputs "
                f"{', '.join(map(str, levels))}: use the neck 'upsample'"
            )
        if len(self.channels) < len(wanted):
            raise ValueError(f"the neck has {len(wanted)} levels, but neck.channels has {len(self.channels)} entries")
        indices = [levels[stride] for stride in wanted]
        return MoveNetFPNNeck(indices, [channels[i] for i in indices], self.channels[: len(wanted)], reduction)


class MoveNetFPNNeck(nn.Module):
    """From coarse to fine: bilinear upsampling, sum with the backbone's map, depth-wise 3x3, 1x1, ReLU.

    Args:
        indices: indices of the backbone's maps, coarsest first.
        before: channels of those maps.
        width: channels of each level.
        stride: stride of the output.
    """

    def __init__(self, indices: Sequence[int], before: Sequence[int], width: Sequence[int], stride: int) -> None:
        super().__init__()
        self.indices = list(indices)
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(before, width, strict=True))
        # Each step outputs the channels of the next level; the last keeps its own.
        after = [*width[2:], width[-1]]
        self.mix = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(w, w, 3, padding=1, groups=w, bias=False), nn.Conv2d(w, a, 1), nn.ReLU(inplace=True)
            )
            for w, a in zip(width[1:], after, strict=False)
        )
        self.grow = nn.Upsample(scale_factor=2, mode="bilinear")
        self.channels = width[-1]
        self.stride = stride
        init_fan_out(self)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The list of the backbone's maps to (B, channels, H / stride, W / stride)."""
        x: Tensor = self.lateral[0](maps[self.indices[0]])
        for index, lateral, mix in zip(self.indices[1:], self.lateral[1:], self.mix, strict=True):
            x = mix(self.grow(x) + lateral(maps[index]))
        return x
