"""ACON: activations that learn whether to activate.

Ma et al. 2021, arXiv:2009.04759.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAST = 16
"""Reduction ratio of Meta-ACON's gate, and also its smallest number of hidden channels."""


def acon(x: Tensor, p1: Tensor, p2: Tensor, beta: Tensor) -> Tensor:
    """Smooth maximum of ``p1 x`` and ``p2 x``: their mean for ``beta`` 0, the larger one for infinite ``beta``.

    Args:
        x: (B, C, H, W).
        p1: first slope, broadcastable.
        p2: second slope.
        beta: sharpness of the transition.

    Returns:
        (B, C, H, W).

    Source: Ma et al. 2021, eq. 4.
    """
    rise = (p1 - p2) * x
    return rise * torch.sigmoid(beta * rise) + p2 * x


class AconC(nn.Module):
    """ACON-C: learnt slopes and sharpness for each channel; 3 C parameters.

    Differs from the published code: slopes start at 1 and 0 (there random from N(0, 1)), so that it starts as SiLU,
    which keeps a pretrained backbone usable.

    Args:
        channels: input and output channels.
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
    """Meta-ACON: a small gate predicts the sharpness for each image and channel; 2 C S + 3 C + S parameters.

    S, the hidden channels of the gate, is C / 16 and at least 16. Differs from the published code: the gate has no
    batch norms (nor has the paper), which fail with one value for each channel, as in a batch of one crop; slopes
    start as in `AconC`.

    Args:
        channels: input and output channels.
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
