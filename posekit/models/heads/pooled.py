"""Numbers from the mean of the map: regression of coordinates. Toshev and Szegedy 2014, arXiv:1312.4659."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.shapes import refuse_other


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Pooled:
    """Global average pooling and a linear layer for each name: coordinates, their spreads, scores."""

    hidden: int = Field(default=0, ge=0)
    """Width of a layer with ReLU between pooling and the outputs; 0: none, as published."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the features dropped before the outputs in training."""
    kind: Literal["pooled"] = "pooled"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, size: tuple[int, int]) -> nn.Module:
        """The head; every shape is (K, D), ``size`` plays no part. See `Maps.build`.

        Raises:
            ValueError: a shape has other axes.
        """
        refuse_other(shapes, self.kind)
        return PooledHead({name: tuple(shape) for name, shape in shapes.items()}, channels, self.hidden, self.dropout)


class PooledHead(nn.Module):
    """(B, channels, H, W) to one (B, K, D) a name, close to 0 at the start."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        layers = [nn.Linear(channels, hidden), nn.ReLU(inplace=True)] if hidden else []
        self.trunk = nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))
        self.shapes = dict(shapes)
        self.points = nn.ModuleDict(
            {name: nn.Linear(hidden or channels, points * depth) for name, (points, depth) in shapes.items()}
        )
        with torch.no_grad():
            for layer in self.points.values():
                nn.init.xavier_uniform_(layer.weight, gain=0.01)
                layer.bias.zero_()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Raw values; no activation."""
        features = self.trunk(x.mean(dim=(2, 3)))
        return {name: layer(features).unflatten(1, self.shapes[name]) for name, layer in self.points.items()}
