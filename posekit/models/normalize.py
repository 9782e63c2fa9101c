"""Normalisation of pixels, inside the network, so that training, export and prediction use the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Subtract the mean of each colour channel and divide by its standard deviation.

    Args:
        mean: of red, green, blue, as fractions of 255.
        std: likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        # Constants, not trained values: not persistent, so that they stay out of the saved weights.
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB, uint8 or floating point in 0..255, to about -2..2, of the buffers' floating type."""
        return (image.to(self.mean.dtype) - self.mean) / self.std
