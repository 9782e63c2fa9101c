"""A basic block whose kernels each cell turns and stretches: the transformer of DEKR's first version.

Sun et al. 2020, arXiv:2006.15480.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posekit.models.layers.adaptive import affine_offsets
from posekit.models.layers.conv import fill_bias
from posekit.models.layers.deformable import SampledConv2d

STEPS = 2
"""Numbers of a step that `affine_offsets` wants and that this block has not."""


class SpatialBlock(nn.Module):
    """Two 3x3 convolutions along transforms that every cell finds for itself, added to what came in.

    Both transforms are read from what comes in. They start at zero, so that the nine taps of an undilated kernel all
    read the cell itself. The grid that they transform is the undilated one: a tap at (y, x) cells from the middle
    reads at ``d (y, x) + (A - 1) (y, x)``.

    Args:
        width: channels.
        dilation: d, cells between two taps at rest.
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
        """Back to the transforms of the start; for one who draws a whole network anew."""
        for transform in (self.transform1, self.transform2):
            transform.weight.zero_()
            fill_bias(transform)

    def tie(self, other: SpatialBlock) -> None:
        """Use the weights of another block's four convolutions; biases and norms stay one's own, as published."""
        for name in ("transform1", "conv1", "transform2", "conv2"):
            getattr(self, name).weight = getattr(other, name).weight

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), size kept."""
        y: Tensor = self.relu(self.norm1(self.conv1(x, _offsets(self.transform1(x)))))
        y = self.relu(self.norm2(self.conv2(y, _offsets(self.transform2(x)))) + x)
        return y


def _offsets(told: Tensor) -> Tensor:
    return affine_offsets(torch.cat((told, torch.zeros_like(told[:, :STEPS])), 1))
