"""Regression head: coordinates from pooled features. Toshev and Szegedy 2014, arXiv:1312.4659."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.models.heads.shapes import refuse_other


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Pooled:
    """Average pooling and a linear layer for each output: coordinates, their standard deviations, scores."""

    cells: int = Field(default=1, ge=1)
    """pool to a grid of so many cells a side; 1: global average pooling, as published; more keep positions, which helps
    small networks on small crops"""
    hidden: int = Field(default=0, ge=0)
    """units of a hidden layer with ReLU between pooling and outputs; 0: no such layer, as published"""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """dropout rate before the outputs, 0 to 1"""
    kind: Literal["pooled"] = "pooled"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, size: tuple[int, int]) -> PooledHead:
        """The head; every shape is (K, D). See `Maps.build`.

        Raises:
            ValueError: a shape is not (K, D), or the map has fewer cells than pooling should leave.
        """
        refuse_other(shapes, self.kind)
        if self.cells > min(size):
            raise ValueError(
                f"the head 'pooled' cannot pool {size[0]}x{size[1]} cells to {self.cells} a side; use fewer"
            )
        named = {name: tuple(shape) for name, shape in shapes.items()}
        return PooledHead(named, channels, self.cells, self.hidden, self.dropout)


class PooledHead(nn.Module):
    """(B, channels, H, W) to one (B, K, D) for each name, close to 0 at initialisation."""

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], channels: int, cells: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.cells = cells
        channels *= cells * cells
        layers = [nn.Linear(channels, hidden), nn.ReLU(inplace=True)] if hidden else []
        self.layers = nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))
        self.shapes = dict(shapes)
        outputs = {name: nn.Linear(hidden or channels, points * depth) for name, (points, depth) in shapes.items()}
        self.points = nn.ModuleDict(outputs)
        with torch.no_grad():
            for layer in outputs.values():
                nn.init.xavier_uniform_(layer.weight, gain=0.01)
                layer.bias.zero_()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Raw values; no activation."""
        pooled = x.mean(dim=(2, 3)) if self.cells == 1 else F.adaptive_avg_pool2d(x, self.cells).flatten(1)
        features = self.layers(pooled)
        return {name: layer(features).unflatten(1, self.shapes[name]) for name, layer in self.points.items()}
