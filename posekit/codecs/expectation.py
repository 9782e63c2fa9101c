"""A map as a distribution over cells: weights that sum to 1, their mean, variance and certainty."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from posekit.codecs.cells import LOWEST, sane, within
from posekit.codecs.ranking import LARGE, bands_of, highest, peak
from posekit.geometry.grid import Grid


def softmax_cells(maps: Tensor) -> Tensor:
    """(B, K, H, W) logits to probabilities; NaN cells get 0, a map of only NaN becomes uniform."""
    return sane(maps).flatten(2).softmax(-1).reshape(maps.shape)


def peaked_cells(maps: Tensor, beta: float, corrected: bool = False, radius: tuple[int, int] | None = None) -> Tensor:
    """``exp(beta * map)`` normalised to sum to 1, with or without the background, over all cells or around the peak.

    Args:
        maps: (B, K, H, W).
        beta: sharpness.
        corrected: subtract the contribution of a constant background. The centroid of ``exp(beta h) - exp(beta b)``
            with the background ``b`` equals the published correction ``C / (C - N) (x - N c / C)``, without its
            numerical cancellation. ``b`` is the lowest value of the map; the paper takes 0.
        radius: (x, y) half width in cells of the window around the highest cell; ``None``: all cells.

    Returns:
        (B, K, H, W); uniform where nothing is left.

    Source: Gu et al., ICCV 2021; local soft-argmax.
    """
    H, W = maps.shape[-2:]
    z = sane(maps)
    top = z.detach().amax((-2, -1), keepdim=True)
    value = (beta * (z - top)).exp()
    if corrected:
        finite = z.detach() > 0.1 * LOWEST
        floor = torch.where(finite, z.detach(), top).amin((-2, -1), keepdim=True)
        value = (value - (beta * (floor - top)).exp()).clamp_min(0.0)
    if radius is not None:
        cell, _ = peak(z.detach())
        columns = torch.arange(W, device=z.device) - cell[..., :1]
        rows = torch.arange(H, device=z.device) - cell[..., 1:]
        value = value * (rows.abs() <= radius[1])[..., :, None] * (columns.abs() <= radius[0])[..., None, :]
    total = value.sum((-2, -1), keepdim=True)
    return torch.where(total > 0, value / total.clamp_min(1e-30), 1.0 / (H * W))


def moments(probability: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each map along x and y.

    Args:
        probability: (B, K, H, W), each map sums to 1.

    Returns:
        (B, K, 2) cells and (B, K, 2) cells squared.
    """
    return line_moments(probability.sum(-2), probability.sum(-1))


def line_moments(*lines: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of distributions (B, K, size), one for each axis: (B, K, axes) each."""
    means, variances = [], []
    for line in lines:
        cells = torch.arange(line.shape[-1], dtype=line.dtype, device=line.device)
        mean = (line * cells).sum(-1)
        means.append(mean)
        variances.append((line * (cells - mean[..., None]).square()).sum(-1))
    return torch.stack(means, -1), torch.stack(variances, -1)


def softmax_summary(maps: Tensor, beta: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """`moments` and `certainty` of the softmax of ``beta * maps``, without storing the softmax: several times faster.

    Args:
        maps: (B, K, H, W); NaN cells are left out.
        beta: sharpness.

    Returns:
        (B, K, 2) mean in cells, (B, K, 2) variance in cells squared, and (B, K) certainty.
    """
    H, W = maps.shape[-2:]
    columns, rows, entropy, _ = softmax_lines(maps, beta)
    mean, variance = line_moments(columns, rows)
    return mean, variance, 1.0 - entropy / _most(H, W)


def softmax_lines(maps: Tensor, beta: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Marginals of the softmax of ``beta * maps`` along x and y, and its entropy, without storing the softmax.

    Args:
        maps: (B, K, H, W); NaN cells are left out.
        beta: sharpness.

    Returns:
        (B, K, W) and (B, K, H), which sum to 1, (B, K) the entropy, and (B, K) the highest value after `sane`.
    """
    B, K, H, W = maps.shape
    count = bands_of(H, 16 if K * H * W < LARGE else 32)
    bands = maps.reshape(-1, H // count, W)
    top = highest(bands.flatten(1), count, count).reshape(B, K, count).amax(-1, keepdim=True)
    tops = top.repeat(1, 1, count).flatten().reshape(count, -1, 1, 1)
    across, down, energy = [], [], []
    # As in `highest`, one part of the memory after another, so that no second map is written.
    for part, most in zip(bands.reshape(count, -1, H // count, W).unbind(0), tops.unbind(0), strict=True):
        # Weights below exp(-80) do not matter but would be denormal numbers, which are slow.
        z = sane(part).sub_(most).mul_(beta).clamp_min_(-80.0)
        weight = z.exp()
        across.append(weight.sum(-2))
        down.append(weight.sum(-1))
        energy.append(weight.flatten(1)[:, None] @ z.flatten(1)[..., None])
    columns = torch.cat(across).reshape(B, K, count, W).sum(-2)
    rows = torch.cat(down).reshape(B, K, H)
    total = rows.sum(-1)
    # -sum p log p with p = exp(z) / total.
    entropy = total.log() - torch.cat(energy).reshape(B, K, count).sum(-1) / total
    return columns / total[..., None], rows / total[..., None], entropy, top[..., 0]


def spread_pixels(variance: Tensor, grid: Grid) -> Tensor:
    """(B, K, 2) cells squared to standard deviations in image pixels; the gradient is finite at 0."""
    return variance.clamp_min(1e-12).sqrt() * variance.new_tensor(grid.scale)


def certainty(probability: Tensor) -> Tensor:
    """(B, K): 1 for a single cell, 0 for a uniform map; 1 - entropy / log(cells)."""
    H, W = probability.shape[-2:]
    entropy: Tensor = -(probability * probability.clamp_min(1e-30).log()).sum((-2, -1))
    return 1.0 - entropy / _most(H, W)


def _most(height: int, width: int) -> float:
    """The entropy of a uniform map; 1 for a single cell, which has none."""
    return math.log(height * width) if height * width > 1 else 1.0


def inside_cells(xy: Tensor, grid: Grid) -> Tensor:
    """(B, K) bool: the point lies within the outermost cell centres, the range that a mean over cells can reach."""
    return within(grid.cells(xy), grid.shape)
