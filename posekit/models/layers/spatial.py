"""The block of DEKR's first version: a basic block with a linear transform of the sampling grid in each cell.

Sun et al. 2020, arXiv:2006.15480.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posekit.models.layers.adaptive import affine_offsets
from posekit.models.layers.conv import fill_bias
from posekit.models.layers.deformable import SampledConv2d

STEPS = 2
"""Translation values that `affine_offsets` expects; this block sets them to 0."""


class SpatialBlock(nn.Module):
    """A residual block of two 3x3 convolutions, each with a predicted transform of its sampling grid in each cell.

    Both transforms are predicted from the input of the block. They start at zero, so that all nine taps of an undilated
    kernel sample the cell itself. The transform acts on the undilated grid: a tap at (y, x) cells from the centre
    samples at ``d (y, x) + (A - 1) (y, x)``.

    Args:
        width: channels.
        dilation: d, dilation in cells.
    """

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.transform1 = nn.Conv2d(width, 4, 3, padding=1)
        self.conv1 = SampledConv2d(width, width, dilation=dilation)
        self.norm1 = nn.BatchNorm2d(width)
        self.transform2 = nn.Conv2d(width, 4, 3, padding=1)
        self.conv2 = SampledConv2d(width, width, dilation=dilation)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.reset_transform()

    @torch.no_grad()
    def reset_transform(self) -> None:
        """Reset to the initial transforms; call it after re-initialising a whole network."""
        for transform in (self.transform1, self.transform2):
            transform.weight.zero_()
            fill_bias(transform)

    def tie(self, other: SpatialBlock) -> None:
        """Share the weights of another block's four convolutions; biases and norms are not shared, as published."""
        for name in ("transform1", "conv1", "transform2", "conv2"):
            getattr(self, name).weight = getattr(other, name).weight

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), size kept."""
        y: Tensor = self.relu(self.norm1(self.conv1(x, _offsets(self.transform1(x)))))
        y = self.relu(self.norm2(self.conv2(y, _offsets(self.transform2(x)))) + x)
        return y


def _offsets(told: Tensor) -> Tensor:
    return affine_offsets(torch.cat((told, torch.zeros_like(told[:, :STEPS])), 1))
