"""Head for dense maps: heatmaps, offsets and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.shapes import refuse_other
from posekit.models.layers.conv import init_fan_out, init_normal


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Maps:
    """A 1x1 convolution for each named map, optionally after a hidden layer.

    With ``channels`` set it is MoveNet's head, for necks with few channels.
    """

    channels: int = Field(default=0, ge=0)
    """channels of a hidden layer (depth-wise 3x3, 1x1, ReLU) before the output of each map; 0: a single 1x1 layer"""
    std: float = Field(default=0.001, gt=0)
    """standard deviation of the initial weights; small values keep the first steps of MSE losses stable"""
    kind: Literal["maps"] = "maps"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, size: tuple[int, int]) -> MapsHead:
        """The head.

        Args:
            shapes: output maps by name, each (C, H, W).
            channels: channels of the input map.
            size: (height, width) of the input map in cells.

        Raises:
            ValueError: a shape is not (C, H, W), or its height and width differ from ``size``.
        """
        refuse_other(shapes, self.kind)
        for name, shape in shapes.items():
            if tuple(shape[1:]) != tuple(size):
                raise ValueError(
                    f"{name!r} is {shape[1]}x{shape[2]} cells but the input of the head has {size[0]}x{size[1]}: "
                    "the neck outputs one resolution"
                )
        return MapsHead({name: shape[0] for name, shape in shapes.items()}, channels, self.std, self.channels)


class MapsHead(nn.Module):
    """(B, channels, H, W) to one (B, C, H, W) for each name."""

    def __init__(self, counts: Mapping[str, int], channels: int, std: float, width: int = 0) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({name: _branch(channels, width, count) for name, count in counts.items()})
        init_normal(self, std)
        for branch in self.maps.values():
            if isinstance(branch, nn.Sequential):
                # With such small weights, three layers in a row would have outputs near zero.
                init_fan_out(branch[:-1])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Raw values; no activation."""
        return {name: layer(x) for name, layer in self.maps.items()}


def _branch(before: int, width: int, count: int) -> nn.Module:
    """Layers from the neck's map to one output map."""
    if not width:
        return nn.Conv2d(before, count, 1)
    depthwise = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(before, width, 1), nn.ReLU(inplace=True), nn.Conv2d(width, count, 1))
