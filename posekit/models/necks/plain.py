"""No neck: the head reads a map of the backbone as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.necks.levels import by_stride


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Plain:
    """Hand on the backbone's map of the wanted stride: its last for pooled and SimCC heads, the finest of HRNet."""

    kind: Literal["none"] = "none"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> PlainNeck:
        """The neck.

        Args:
            channels: of the backbone's maps.
            strides: of the backbone's maps.
            reduction: stride of the wanted map.

        Raises:
            ValueError: the backbone has no map of that stride.
        """
        levels = by_stride(strides)
        if reduction not in levels:
            raise ValueError(
                f"maps of stride {reduction} are wanted, the backbone gives strides {', '.join(map(str, levels))}: "
                "use the neck 'upsample' or 'deconv', or maps of such a stride"
            )
        return PlainNeck(levels[reduction], channels[levels[reduction]], reduction)


class PlainNeck(nn.Module):
    """Pick one map of a list."""

    def __init__(self, index: int, channels: int, stride: int) -> None:
        super().__init__()
        self.index = index
        self.channels = channels
        self.stride = stride

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The map at the index, untouched."""
        return maps[self.index]
