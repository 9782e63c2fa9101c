"""Dynamic filters of FCPose: a keypoint head with its own weights for each instance.

Mao et al. 2021, arXiv:2105.14185. At the cells of selected instances a controller predicts the weights of a small
network, which then runs on features that all instances share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Filters = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Layout:
    """Sizes of the dynamic head, and the order of its numbers: weights, biases, layer by layer.

    Args:
        features: channels of the shared features; two channels of relative coordinates are added.
        points: output maps.
        hidden: channels of each layer but the last.
        layers: number of layers.
    """

    features: int = 32
    points: int = 17
    hidden: int = 32
    layers: int = 3

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(output, input) channels of each layer."""
        widths = (self.features + 2, *[self.hidden] * (self.layers - 1), self.points)
        return tuple((after, before) for before, after in pairwise(widths))

    @property
    def total(self) -> int:
        """Numbers for each instance; 2,737 by default."""
        return sum(after * before + after for after, before in self.sizes)

    def split(self, numbers: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Split the numbers of an instance into weights (..., out, in) and biases (..., out), one pair for each layer.

        Args:
            numbers: (..., total).

        Raises:
            ValueError: the last axis is not ``total`` long.
        """
        if numbers.shape[-1] != self.total:
            raise ValueError(f"this layout has {self.total} numbers for each instance; got {numbers.shape[-1]}")
        pieces = numbers.split([size for after, before in self.sizes for size in (after * before, after)], -1)
        weights = [piece.unflatten(-1, size) for piece, size in zip(pieces[::2], self.sizes, strict=True)]
        return list(zip(weights, pieces[1::2], strict=True))


def maps_of(filters: Filters, features: Tensor, at: Tensor, scale: Tensor) -> Tensor:
    """Run the dynamic head of every instance on the features of its image.

    Args:
        filters: weight (B, N, out, in) and bias (B, N, out) of each layer; the inputs of the first are x and y of the
            instance minus those of the cell, divided by ``scale``, and then the features.
        features: (B, C, H, W).
        at: (B, N, 2) location of each instance, x first, in cells of ``features``; the first cell's centre is (0, 0).
        scale: (B, N) size of interest of each instance, in the same cells.

    Returns:
        (B, N, K, H, W) logits; ReLU between the layers.

    Source: Mao et al. 2021, section 3.2. Coordinate channels are not materialised for each instance.
    """
    (weight, bias), *rest = filters
    height, width = features.shape[-2:]
    steer = weight[..., :2] / scale[..., None, None]
    # In (location - cell) / scale, the location goes into the bias; the rest depends on rows and columns only.
    still = bias + (steer * at[:, :, None]).sum(-1)
    x = torch.arange(width, dtype=features.dtype, device=features.device)
    y = torch.arange(height, dtype=features.dtype, device=features.device)
    y = y[:, None].expand(height, width).flatten()
    x = x.expand(height, width).flatten()
    shared = torch.matmul(weight[..., 2:].flatten(1, 2), features.flatten(2)).unflatten(1, weight.shape[1:3])
    maps: Tensor = shared + still[..., None] - torch.matmul(steer, torch.stack((x, y)))
    for weight, bias in rest:
        maps = torch.matmul(weight, maps.relu()) + bias[..., None]
    maps = maps.unflatten(-1, (height, width))
    return maps


class Controller(nn.Linear):
    """Predicts the numbers of an instance from the 3x3 cells around it: a 3x3 convolution at selected cells only.

    Args:
        before: input channels.
        layout: sizes of the dynamic head.

    Source: Mao et al. 2021, section 3.1; computed in all cells of strides 8 to 128 of a 512x512 image it would cost
    34 GMACs.
    """

    def __init__(self, before: int, layout: Layout) -> None:
        super().__init__(9 * before, layout.total)
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)

    def forward(self, maps: Sequence[Tensor], cells: Tensor) -> Tensor:  # type: ignore[override]
        """Numbers for `Layout.split`.

        Args:
            maps: (B, before, H, W) for each level.
            cells: (B, N) indices of cells, counted row by row through all levels, finest first.

        Returns:
            (B, N, total).
        """
        return super().forward(windows(maps, cells))


def windows(maps: Sequence[Tensor], cells: Tensor) -> Tensor:
    """The 3x3 cells around selected cells of a pyramid, with zero padding around each level.

    Args:
        maps: (B, C, H, W) for each level.
        cells: (B, N) indices of cells, counted row by row through all levels, finest first.

    Returns:
        (B, N, 9 C), for each channel the 3x3 cells, row by row.
    """
    step = torch.arange(3, device=cells.device)
    tables, start = [], 0
    for x in maps:
        height, width = x.shape[-2:]
        row = torch.arange(height, device=cells.device)[:, None, None, None] + step[:, None]
        column = torch.arange(width, device=cells.device)[:, None, None] + step
        tables.append((start + row * (width + 2) + column).reshape(-1, 9))
        start = start + (height + 2) * (width + 2)
    padded = torch.cat([F.pad(x, (1, 1, 1, 1)).flatten(2) for x in maps], dim=-1)
    around = torch.cat(tables)[cells].flatten(1)
    read = padded.gather(2, around[:, None].expand(-1, padded.shape[1], -1))
    rows: Tensor = read.unflatten(2, (-1, 9)).transpose(1, 2).flatten(2)
    return rows
