"""One number for each point, without a location, beside the maps of any head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELLS = 2
"""The map is pooled to so many cells a side, so that upper, lower, left and right half of the crop are told apart."""


class Logits(nn.Module):
    """The backbone's coarsest map to one (B, K) for each name: average pooling and a linear layer.

    Args:
        counts: K by name.
        channels: of the backbone's last map.
    """

    def __init__(self, counts: Mapping[str, int], channels: int) -> None:
        super().__init__()
        layers = {name: nn.Linear(channels * CELLS * CELLS, count) for name, count in counts.items()}
        self.points = nn.ModuleDict(layers)
        with torch.no_grad():
            for layer in layers.values():
                nn.init.xavier_uniform_(layer.weight, gain=0.01)
                layer.bias.zero_()

    def forward(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """Raw values, close to 0 at initialisation; no activation."""
        pooled = F.adaptive_avg_pool2d(features[-1], CELLS).flatten(1)
        return {name: layer(pooled) for name, layer in self.points.items()}
