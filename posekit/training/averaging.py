"""Exponential moving average (EMA) of the weights, which is evaluated and saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def _warm(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    def average(averaged: Any, current: Any, count: Tensor | int) -> None:
        # With a fixed 0.999 a short run would stay near its initial weights, so the decay is warmed up.
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        pairs = list(zip(averaged, current, strict=True))
        floating = [(a, c.to(a.dtype)) for a, c in pairs if a.is_floating_point()]
        if floating:
            torch._foreach_lerp_([a for a, _ in floating], [c for _, c in floating], 1 - now)
        for a, c in pairs:
            if not a.is_floating_point():
                a.copy_(c)

    return average


def averaged(net: nn.Module, decay: float) -> AveragedModel:
    """Moving average of ``net`` with a warmed-up decay, including buffers.

    Args:
        net: the network in training.
        decay: final decay, in (0, 1).
    """
    with torch.no_grad():
        return AveragedModel(net, multi_avg_fn=_warm(decay), use_buffers=True)
