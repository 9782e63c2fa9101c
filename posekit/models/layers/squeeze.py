"""Squeeze-and-excite: channel weights from globally pooled features."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Multiply each channel by a gate in [0, 1] computed from the means of all channels.

    Source: Hu et al. 2017, arXiv:1709.01507; the hard sigmoid is MobileNetV3's, arXiv:1905.02244.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        gate: Tensor = self.gate(self.fc2(self.relu(self.fc1(self.pool(x)))))
        return x * gate
