"""DEKR's adaptive block: a convolution with an affine transform of its sampling grid in each cell.

Geng et al. 2021, arXiv:2104.02300.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from posekit.models.layers.deformable import SampledConv2d

# Four numbers of a 2x2 matrix, row by row, rows and columns in the order y, x; then the translation, y before x.
NUMBERS = 6


def affine_offsets(told: Tensor, kernel: int = 3) -> Tensor:
    """Offsets of the taps of a kernel from an affine transform of the sampling grid in each cell.

    Args:
        told: (B, parts * 6, H, W), for each part ``a_yy, a_yx, a_xy, a_xx, t_y, t_x``: the tap at (y, x) cells from the
            centre samples at ``(a_yy y + a_yx x + t_y, a_xy y + a_xx x + t_x)``.
        kernel: kernel size, odd.

    Returns:
        (B, parts * 2 * kernel * kernel, H, W), for `deformable_conv`: relative to the regular grid.

    Source: Geng et al. 2021, section 3.3.
    """
    batch, _, height, width = told.shape
    told = told.reshape(batch, -1, 1, 1, NUMBERS, height, width)
    reach = torch.arange(kernel, dtype=told.dtype, device=told.device) - kernel // 2
    y, x = reach[:, None, None, None], reach[:, None, None]
    down = (told[..., 0, :, :] - 1) * y + told[..., 1, :, :] * x + told[..., 4, :, :]
    right = told[..., 2, :, :] * y + (told[..., 3, :, :] - 1) * x + told[..., 5, :, :]
    return torch.stack((down, right), dim=4).reshape(batch, -1, height, width)


class AdaptiveBlock(nn.Module):
    """A residual 3x3 convolution whose sampling grid is transformed by a predicted affine transform in each cell.

    Several points are processed in parallel, each with its own channels, transform and kernel.

    Args:
        width: channels of each part.
        parts: number of parallel blocks, one for each point.
        start: ``centre``, as published: all nine taps start at the cell itself; ``identity``: a plain 3x3 convolution.

    Source: Geng et al. 2021; its code has one block for each point, here three grouped layers. MMPose's layers
    predict the transform minus the identity: add (1, 0, 0, 1) to their first four biases.
    """

    def __init__(self, width: int, parts: int = 1, start: Literal["centre", "identity"] = "centre") -> None:
        super().__init__()
        channels = width * parts
        self.transform = nn.Conv2d(channels, parts * NUMBERS, 3, padding=1, groups=parts)
        self.conv = SampledConv2d(channels, channels, groups=parts, parts=parts)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.reset_transform(start)

    @torch.no_grad()
    def reset_transform(self, start: Literal["centre", "identity"] = "centre") -> None:
        """Reset to the initial transform, the same in every cell; call it after re-initialising a whole network."""
        self.transform.weight.zero_()
        bias = cast(Tensor, self.transform.bias)
        one = bias.new_tensor((1.0, 0.0, 0.0, 1.0, 0.0, 0.0))
        bias.copy_((one * (start == "identity")).repeat(len(bias) // NUMBERS))

    def forward(self, x: Tensor) -> Tensor:
        """(B, parts * width, H, W), size kept."""
        y: Tensor = self.conv(x, affine_offsets(self.transform(x)))
        y = self.relu(self.norm(y) + x)
        return y
