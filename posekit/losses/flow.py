"""RealNVP: a learned density of regression errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MASKS_2D: tuple[tuple[float, ...], ...] = ((0.0, 1.0), (1.0, 0.0)) * 3
MASKS_3D: tuple[tuple[float, ...], ...] = ((0.0, 0.0, 1.0), (1.0, 1.0, 0.0)) * 3


class RealNvp(nn.Module):
    """A chain of affine couplings over a standard normal; 53,784 parameters with the default masks.

    Starts close to the standard normal. Used in training only.

    Args:
        masks: for each coupling, which of the D coordinates pass unchanged (1) and condition the others (0).
        hidden: width of the networks in the couplings.

    Source: Dinh et al. 2017, arXiv:1605.08803, in the layout of arXiv:2107.11291.
    """

    masks: Tensor

    def __init__(self, masks: tuple[tuple[float, ...], ...] = MASKS_2D, hidden: int = 64) -> None:
        super().__init__()
        self.register_buffer("masks", torch.tensor(masks))
        depth = len(masks[0])
        self.scales = nn.ModuleList(_net(depth, hidden, bounded=True) for _ in masks)
        self.shifts = nn.ModuleList(_net(depth, hidden, bounded=False) for _ in masks)

    def to_latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map data to the latent space.

        Args:
            x: (..., D).

        Returns:
            (..., D), and (...) the log-determinant of the Jacobian.
        """
        z, change = x, x.new_zeros(x.shape[:-1])
        for i in reversed(range(len(self.scales))):
            mask = self.masks[i]
            kept = mask * z
            scale = self.scales[i](kept) * (1 - mask)
            shift = self.shifts[i](kept) * (1 - mask)
            z = (1 - mask) * (z - shift) * (-scale).exp() + kept
            change = change - scale.sum(-1)
        return z, change

    def from_latent(self, z: Tensor) -> Tensor:
        """The inverse of `to_latent`."""
        x = z
        for i, mask in enumerate(self.masks):
            kept = mask * x
            scale = self.scales[i](kept) * (1 - mask)
            shift = self.shifts[i](kept) * (1 - mask)
            x = kept + (1 - mask) * (x * scale.exp() + shift)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to the logarithm of its density (...)."""
        z, change = self.to_latent(x)
        return change - 0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


def _net(depth: int, hidden: int, bounded: bool) -> nn.Sequential:
    """Three layers, initialised near zero; the network of scales ends in tanh."""
    layers: list[nn.Module] = [nn.Linear(depth, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()]
    layers.append(nn.Linear(hidden, depth))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers, *([nn.Tanh()] if bounded else []))
