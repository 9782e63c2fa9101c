"""One number for each point, without a location, beside the maps of any head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Logits(nn.Module):
    """The backbone's coarsest map to one (B, K) for each name: the mean of each quarter, and a linear layer.

    Quarters tell the upper from the lower half of the crop, and left from right.

    Args:
        counts: K by name.
        channels: of the backbone's last map.
    """

    def __init__(self, counts: Mapping[str, int], channels: int) -> None:
        super().__init__()
        layers = {name: nn.Linear(4 * channels, count) for name, count in counts.items()}
        self.points = nn.ModuleDict(layers)
        with torch.no_grad():
            for layer in layers.values():
                nn.init.xavier_uniform_(layer.weight, gain=0.01)
                layer.bias.zero_()

    def forward(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """Raw values, close to 0 at initialisation; no activation."""
        quarters = _halves(_halves(features[-1], 2), 3).flatten(1)
        return {name: layer(quarters) for name, layer in self.points.items()}


def _halves(x: Tensor, axis: int) -> Tensor:
    """Means of both halves along an axis, which becomes 2 long; the middle of an odd length belongs to both.

    The same as adaptive average pooling, which ONNX has for even lengths only.
    """
    size = x.shape[axis]
    first, second = x.narrow(axis, 0, size - size // 2), x.narrow(axis, size // 2, size - size // 2)
    return torch.stack([first.mean(axis), second.mean(axis)], axis)
