"""FReLU: the larger of a value and what its neighbourhood says.

Ma et al. 2020, arXiv:2007.11824.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FReLU(nn.Module):
    """``max(x, norm(depth-wise 3x3 of x))``: an activation with a place in the image; 11 C parameters.

    The kernel is drawn from N(0, 1/9), Xavier's law with the fans counted within a group.

    Args:
        channels: that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.normal_(self.conv.weight, std=1 / 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        return torch.maximum(x, self.norm(self.conv(x)))
