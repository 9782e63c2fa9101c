"""SimCC head: each coordinate is classified into bins. Li et al. 2022, arXiv:2107.03332, section 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.shapes import refuse_other
from posekit.models.layers.conv import init_normal


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SimCC:
    """A 1x1 convolution to one map for each point, flattened, and a linear layer to the bins of each axis."""

    std: float = Field(default=0.01, gt=0)
    """standard deviation of the initial weights of the linear layers"""
    kind: Literal["simcc"] = "simcc"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, size: tuple[int, int]) -> SimCCHead:
        """The head; every shape is (K, bins) with the same K. See `Maps.build`.

        Raises:
            ValueError: a shape is not (K, bins), or K differs between names.
        """
        refuse_other(shapes, self.kind)
        points = {shape[0] for shape in shapes.values()}
        if len(points) > 1:
            told = ", ".join(f"{name!r} {tuple(shape)}" for name, shape in shapes.items())
            raise ValueError(f"the head 'simcc' needs the same number of points for every output; got {told}")
        bins = {name: shape[1] for name, shape in shapes.items()}
        return SimCCHead(bins, points.pop(), channels, size[0] * size[1], self.std)


class SimCCHead(nn.Module):
    """(B, channels, H, W) to one (B, K, bins) for each name."""

    def __init__(self, bins: Mapping[str, int], points: int, channels: int, cells: int, std: float) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, points, 1)
        self.axes = nn.ModuleDict({name: nn.Linear(cells, count) for name, count in bins.items()})
        init_normal(self.axes, std)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits of the bins."""
        features = self.maps(x).flatten(2)
        return {name: layer(features) for name, layer in self.axes.items()}
