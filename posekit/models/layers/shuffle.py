"""Channel shuffle, which mixes the halves of a ShuffleNet unit."""

from __future__ import annotations

import torch
from torch import Tensor


def interleave(left: Tensor, right: Tensor) -> Tensor:
    """Interleave the channels of two maps: a0 b0 a1 b1 ...

    The same as concatenation and channel shuffle in two groups, with one copy; keeps the memory format.

    Args:
        left: (B, C, H, W).
        right: (B, C, H, W).

    Returns:
        (B, 2 C, H, W).

    Source: Ma et al. 2018, arXiv:1807.11164, figure 3.
    """
    # Check the right map: the left is often a slice of channels, which is never contiguous.
    if right.is_contiguous(memory_format=torch.channels_last) and not right.is_contiguous():
        both = torch.stack((left.permute(0, 2, 3, 1), right.permute(0, 2, 3, 1)), dim=-1)
        return both.flatten(3).permute(0, 3, 1, 2)
    return torch.stack((left, right), dim=2).flatten(1, 2)
