"""Dense maps: one number for each channel and cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.shapes import refuse_other
from posekit.models.layers.conv import init_normal


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Maps:
    """A 1x1 convolution for each named map: heatmaps, offsets, soft-argmax."""

    std: float = Field(default=0.001, gt=0)
    """Spread of the drawn weights; small, so that squared losses on maps start calmly."""
    kind: Literal["maps"] = "maps"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, size: tuple[int, int]) -> nn.Module:
        """The head.

        Args:
            shapes: by name, each (C, H, W).
            channels: of the map it reads.
            size: (height, width) of that map in cells.

        Raises:
            ValueError: a shape has other axes or another height and width than ``size``.
        """
        refuse_other(shapes, self.kind)
        for name, shape in shapes.items():
            if tuple(shape[1:]) != tuple(size):
                raise ValueError(
                    f"{name!r} is {shape[1]}x{shape[2]} cells and the head reads a map of {size[0]}x{size[1]}: "
                    "one neck gives one resolution"
                )
        return MapsHead({name: shape[0] for name, shape in shapes.items()}, channels, self.std)


class MapsHead(nn.Module):
    """(B, channels, H, W) to one (B, C, H, W) a name."""

    def __init__(self, counts: Mapping[str, int], channels: int, std: float) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({name: nn.Conv2d(channels, count, 1) for name, count in counts.items()})
        init_normal(self, std)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Raw values; no activation."""
        return {name: layer(x) for name, layer in self.maps.items()}
