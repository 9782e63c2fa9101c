"""Affinity of two cells from the difference of their guides: the adapting kernel of pixel-adaptive convolution.

Su et al. 2019, arXiv:1904.05373.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 1e-4
"""Added to the squared difference before the power, whose derivative at 0 is infinite."""


class Affinity(nn.Module):
    """A number for each pair of cells; for ``gaussian`` 1 if the guides are equal; in float32 or better.

    Args:
        kind: ``gaussian``: exp(-d^2 / 2) of a difference of length d; ``inverse``: alpha + (d^2 + 1e-4)^(power / 2).
        alpha: constant of ``inverse``.
        power: exponent of ``inverse``; if negative, the affinity falls with the difference.
        learnable: learn ``alpha`` and ``power``.
        one_sided: count only positive differences ("asym" in the published code).
        smooth: compare neighbours with a blurred guide of the centre cell: 3x3 ``gaussian``, ``average`` over ``width``
            x ``width``, or a ``learned`` blur that starts as the average. Replicates the border.
        width: kernel size of the blur, odd.

    Raises:
        ValueError: the width is even.
    """

    blur: Tensor | None
    alpha: Tensor | None
    power: Tensor | None

    def __init__(
        self,
        kind: Literal["gaussian", "inverse"] = "gaussian",
        alpha: float = 0.0,
        power: float = -1.0,
        learnable: bool = False,
        one_sided: bool = False,
        smooth: Literal["none", "gaussian", "average", "learned"] = "none",
        width: int = 3,
    ) -> None:
        super().__init__()
        if width % 2 == 0:
            raise ValueError(f"the blur needs a centre cell: expected an odd width, got {width}")
        self.kind, self.one_sided, self.smooth = kind, one_sided, smooth
        blur = torch.full((width, width), 1 / width**2)
        if smooth == "gaussian":
            tent = torch.tensor((0.25, 0.5, 0.25))
            blur = tent[:, None] * tent
        self._hold("blur", blur, smooth != "none", smooth == "learned")
        self._hold("alpha", torch.tensor(float(alpha)), kind == "inverse", learnable)
        self._hold("power", torch.tensor(float(power)), kind == "inverse", learnable)

    def _hold(self, name: str, value: Tensor, wanted: bool, learnable: bool) -> None:
        """Register a value as a parameter, as a buffer, or as none."""
        if wanted and learnable:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value if wanted else None)

    def middle(self, guide: Tensor) -> Tensor:
        """Guide of the centre cells, blurred if asked: (B, G, H, W) to the same shape."""
        if self.blur is None:
            return guide
        margin = self.blur.shape[-1] // 2
        padded = F.pad(guide, (margin,) * 4, mode="replicate")
        # Every channel as a separate image.
        flat = padded.flatten(0, 1)[:, None]
        return F.conv2d(flat, self.blur[None, None].to(guide.dtype)).reshape(guide.shape)

    def forward(self, difference: Tensor, by_channel: bool = False) -> Tensor:
        """Affinities.

        Args:
            difference: (B, G, ...), a neighbour's guide minus the centre's.
            by_channel: a separate affinity for each channel of the guide.

        Returns:
            (B, 1, ...), or (B, G, ...) by channel; float32, or float64 for float64 input.
        """
        exact = difference.to(torch.promote_types(difference.dtype, torch.float32))
        exact = exact.relu() if self.one_sided else exact
        square = exact.square() if by_channel else exact.square().sum(1, keepdim=True)
        if self.alpha is None or self.power is None:
            return torch.exp(-0.5 * square)
        return self.alpha + (square + FLOOR).pow(self.power / 2)


def heeded(affinity: Tensor, inside: Tensor, seen: Tensor | None, normalized: bool, taps: int) -> Tensor:
    """Affinities with those of masked and outside cells set to 0, and optionally normalised.

    Args:
        affinity: (B, G, ...).
        inside: broadcastable, 1 for taps inside the map, else 0.
        seen: broadcastable, 1 for taps on valid cells of the mask; none without a mask.
        normalized: scale the remaining affinities to sum 1; otherwise, with a mask, divide them by the share of valid
            cells among those inside the map, so that a mask of ones changes nothing.
        taps: axis of the taps.

    Returns:
        Same shape as ``affinity``; zeros if no cell is valid.
    """
    if seen is None and not normalized:
        return affinity
    counting = (inside if seen is None else seen).to(affinity.dtype)
    affinity = affinity * counting
    if normalized:
        return affinity / affinity.sum(taps, keepdim=True).clamp_min(torch.finfo(affinity.dtype).tiny)
    share = counting.sum(taps, keepdim=True) / inside.to(affinity.dtype).sum(taps, keepdim=True).clamp_min(1)
    return affinity / share.clamp_min(torch.finfo(affinity.dtype).tiny)
