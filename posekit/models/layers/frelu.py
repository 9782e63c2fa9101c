"""FReLU: funnel activation, the maximum of a value and a depth-wise convolution around it.

Ma et al. 2020, arXiv:2007.11824.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FReLU(nn.Module):
    """``max(x, norm(depth-wise 3x3 of x))``: an activation with spatial context; 11 C parameters.

    The kernel is initialised from N(0, 1/9): Xavier initialisation with the fans of a group.

    Args:
        channels: input and output channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.normal_(self.conv.weight, std=1 / 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        return torch.maximum(x, self.norm(self.conv(x)))
