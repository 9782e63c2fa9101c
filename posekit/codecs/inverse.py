"""Raw maps of a perfect network: finite inverses of the activations in `Codec.activate`."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.base import Target
from posekit.geometry.grid import Grid

SMALLEST = 1e-30
"""Probabilities are clamped to at least this; float32 can hold it."""
SURE = -9.0
"""Raw output of a perfectly certain network for a logit of a spread."""


def target_map(target: Target, name: str, kind: str) -> Tensor:
    """The target map of a name.

    Args:
        target: of the codec.
        name: of the map.
        kind: of the codec, for the message.

    Raises:
        ValueError: the target has no such map.
    """
    if name not in target.maps:
        raise ValueError(
            f"the target holds {sorted(target.maps)} and not {name!r}, from which codec {kind!r} makes its perfect "
            "maps: give it a target that this codec encoded"
        )
    return target.maps[name]


def logits_of(probability: Tensor) -> Tensor:
    """Logits of ``probability``; 0 and 1 give large finite numbers."""
    return probability.clamp(SMALLEST, 1 - torch.finfo(probability.dtype).eps).logit()


def log_of(distribution: Tensor) -> Tensor:
    """Logits whose softmax is ``distribution``; cells of 0 give large negative finite numbers."""
    return distribution.clamp_min(SMALLEST).log()


def soft_argmax_maps(xy: Tensor, grid: Grid, beta: float) -> Tensor:
    """Maps for which the softmax of ``beta * map`` is a Gaussian with sigma of one cell around each point.

    Without background correction, the soft arg-max of a Gaussian target map is biased by its background; a perfect
    network would give a map without background instead.

    Args:
        xy: (B, K, 2) image pixels.
        grid: of the maps.
        beta: sharpness of the soft arg-max.

    Returns:
        (B, K, H, W).
    """
    rows, columns = _squares(xy, grid)
    return (rows[..., None] + columns[..., None, :]) / (-2 * beta)


def soft_argmax_volumes(xy: Tensor, grid: Grid, beta: float, level: Tensor, bins: int) -> Tensor:
    """`soft_argmax_maps` with depths.

    Args:
        xy: (B, K, 2) image pixels.
        grid: of the maps.
        beta: sharpness of the soft arg-max.
        level: (B, K, 1) depth in layers; whole numbers are layer centres.
        bins: D.

    Returns:
        (B, K D, H, W), all depths of one point after another.
    """
    rows, columns = _squares(xy, grid)
    layers = (torch.arange(bins, dtype=level.dtype, device=level.device) - level).square()
    squares = layers[..., None, None] + rows[:, :, None, :, None] + columns[:, :, None, None]
    return (squares / (-2 * beta)).flatten(1, 2)


def _squares(xy: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Squared distances in cells from points (B, K, 2) to rows (B, K, H) and columns (B, K, W)."""
    cells = grid.cells(xy)
    rows, columns = (
        (torch.arange(count, dtype=cells.dtype, device=cells.device) - cells[..., axis, None]).square()
        for count, axis in zip(grid.shape, (1, 0), strict=True)
    )
    return rows, columns
