"""ACON: activations that learn whether to activate.

Ma et al. 2021, arXiv:2009.04759.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAST = 16
"""Channels between the two layers of Meta-ACON's gate at least; also by how much wide maps are narrowed there."""


def acon(x: Tensor, p1: Tensor, p2: Tensor, beta: Tensor) -> Tensor:
    """A smooth maximum of ``p1 x`` and ``p2 x``: their mean where ``beta`` is 0, the larger where it is infinite.

    Args:
        x: (B, C, H, W).
        p1: slope on one side, broadcastable.
        p2: slope on the other.
        beta: how sharp the bend is.

    Returns:
        (B, C, H, W).

    Source: Ma et al. 2021, eq. 4.
    """
    rise = (p1 - p2) * x
    return rise * torch.sigmoid(beta * rise) + p2 * x


class AconC(nn.Module):
    """ACON with slopes and sharpness of its own for each channel: 3 C parameters.

    Differs from the published code: slopes start at 1 and 0 (there drawn from N(0, 1)), so that it starts as SiLU and
    a backbone with published weights is not thrown away.

    Args:
        channels: that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.p1 = nn.Parameter(torch.ones(channels, 1, 1))
        self.p2 = nn.Parameter(torch.zeros(channels, 1, 1))
        self.beta = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        return acon(x, self.p1, self.p2, self.beta)


class MetaAcon(nn.Module):
    """ACON whose sharpness a small gate finds for each image and channel: 2 C S + 3 C + S parameters.

    S, the channels inside the gate, are a sixteenth of C and at least 16. Differs from the published code: the gate has
    no batch norms, which would have one value a channel to go by where the batch is one crop (the paper has none
    either); slopes start as in `AconC`.

    Args:
        channels: that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(LEAST, channels // LEAST)
        self.p1 = nn.Parameter(torch.ones(channels, 1, 1))
        self.p2 = nn.Parameter(torch.zeros(channels, 1, 1))
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        beta = torch.sigmoid(self.fc2(self.fc1(x.mean((2, 3), keepdim=True))))
        return acon(x, self.p1, self.p2, beta)
