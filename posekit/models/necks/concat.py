"""HRNet-V2's neck: all maps of the backbone, upsampled to one resolution and concatenated.

Sun et al. 2019, arXiv:1904.04514.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.necks.levels import halvings


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Concat:
    """Upsample all maps of the backbone to one resolution and concatenate them; no parameters."""

    mode: Literal["bilinear", "nearest"] = "bilinear"
    """interpolation for upsampling"""
    kind: Literal["concat"] = "concat"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> ConcatNeck:
        """The neck; maps finer than stride ``reduction`` are left out. See `Plain.build`.

        Raises:
            ValueError: the backbone's last stride is not ``reduction`` times a power of 2.
        """
        halvings(strides[-1], reduction)
        kept = [index for index, stride in enumerate(strides) if stride >= reduction]
        growth = [strides[index] // reduction for index in kept]
        return ConcatNeck(kept, growth, sum(channels[index] for index in kept), self.mode, reduction)


class ConcatNeck(nn.Module):
    """Upsample and concatenate.

    Args:
        indices: indices of the backbone's maps, in output order.
        growth: upsampling factor of each.
        channels: output channels.
        mode: interpolation.
        stride: stride of the output.
    """

    def __init__(self, indices: list[int], growth: list[int], channels: int, mode: str, stride: int) -> None:
        super().__init__()
        self.indices = indices
        self.grow = nn.ModuleList(
            nn.Identity() if times == 1 else nn.Upsample(scale_factor=times, mode=mode) for times in growth
        )
        self.channels = channels
        self.stride = stride

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The backbone's maps to (B, channels, H / stride, W / stride)."""
        return torch.cat([grow(maps[index]) for index, grow in zip(self.indices, self.grow, strict=True)], 1)
