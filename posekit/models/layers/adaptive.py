"""Convolution whose kernel each cell turns, stretches and moves: DEKR's adaptive block.

Geng et al. 2021, arXiv:2104.02300.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from posekit.models.layers.deformable import SampledConv2d

# Four numbers of a 2x2 transform, row by row, rows and columns in the order y, x; then the step, y before x.
NUMBERS = 6


def affine_offsets(told: Tensor, kernel: int = 3) -> Tensor:
    """How far the taps of a kernel move where the cell transforms the kernel's grid.

    Args:
        told: (B, parts * 6, H, W), for each part ``a_yy, a_yx, a_xy, a_xx, t_y, t_x``: the tap at rest at (y, x) cells
            from the middle reads at ``(a_yy y + a_yx x + t_y, a_xy y + a_xx x + t_x)``.
        kernel: width of the square kernel, odd.

    Returns:
        (B, parts * 2 * kernel * kernel, H, W), as `deformable_conv` takes them: the grid itself taken off.

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
    """A 3x3 convolution along a transform that every cell finds for itself, added to what came in.

    Several points are served at once: each has channels, a transform and a kernel of its own.

    Args:
        width: channels of each part.
        parts: as many blocks beside each other, one a point.
        start: ``centre``, as published: all nine taps read the cell itself; ``identity``: a plain 3x3 convolution.

    Source: Geng et al. 2021; its code has one block a point, here they share three grouped layers. Weights of MMPose
    tell the transform less the identity: add (1, 0, 0, 1) to their first four biases.
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
        """Back to the transform of the start, the same in every cell; for one who draws a whole network anew."""
        self.transform.weight.zero_()
        bias = cast(Tensor, self.transform.bias)
        one = bias.new_tensor((1.0, 0.0, 0.0, 1.0, 0.0, 0.0))
        bias.copy_((one * (start == "identity")).repeat(len(bias) // NUMBERS))

    def forward(self, x: Tensor) -> Tensor:
        """(B, parts * width, H, W), size kept."""
        y: Tensor = self.conv(x, affine_offsets(self.transform(x)))
        y = self.relu(self.norm(y) + x)
        return y
