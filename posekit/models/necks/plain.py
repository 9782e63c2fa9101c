"""No neck: the head takes a map of the backbone directly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.necks.levels import by_stride


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Plain:
    """No neck: pass on the backbone's map of the needed stride, such as the last for pooled and SimCC heads."""

    kind: Literal["none"] = "none"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> PlainNeck:
        """The neck.

        Args:
            channels: channels of the backbone's maps.
            strides: strides of the backbone's maps.
            reduction: stride of the output.

        Raises:
            ValueError: the backbone has no map of that stride.
        """
        levels = by_stride(strides)
        if reduction not in levels:
            raise ValueError(
                f"the maps need stride {reduction}, but the backbone outputs strides {', '.join(map(str, levels))}: "
                "use the neck 'upsample' or 'deconv', or maps of one of these strides"
            )
        return PlainNeck(levels[reduction], channels[levels[reduction]], reduction)


class PlainNeck(nn.Module):
    """Select one map of a list."""

    def __init__(self, index: int, channels: int, stride: int) -> None:
        super().__init__()
        self.index = index
        self.channels = channels
        self.stride = stride

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The map at the index, unchanged."""
        return maps[self.index]
