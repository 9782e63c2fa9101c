"""Volumetric maps with a depth axis: a Gaussian (heatmap3d) or a soft arg-max (integral3d)."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import LOWEST, bell, mirrored, outer, picked, sane
from posekit.codecs.expectation import inside_cells, line_moments, softmax_lines, spread_pixels
from posekit.codecs.heatmap import gaussian_lines
from posekit.codecs.inverse import soft_argmax_volumes, target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.ranking import peak
from posekit.codecs.refine import parabola_step, refined
from posekit.codecs.regression import depth_fractions
from posekit.codecs.single import levels, one_depth, one_labelled, one_pose
from posekit.codecs.smoothing import window_width
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Heatmap3d(OnGrid):
    """A Gaussian in a volume; decoded at its highest cell and refined along the three axes.

    The D depth layers of a point are consecutive channels. ``volume`` is trained where the depth is known, and
    ``heatmap``, its maximum over the depths, wherever the location is: a batch may mix both.

    Source: Pavlakos et al. 2017, arXiv:1611.07828.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    depth: float = Field(default=800.0, gt=0)
    "depth range of the volume around the root, in the unit of the data's depths"
    bins: int = Field(default=16, ge=2)
    "cells along the depth"
    sigma: float = Field(default=8.0, gt=0)
    "sigma of the Gaussian, image pixels; along the depth it is as many cells wide"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "parabola"
    "how the location between cells is computed; along the depth a parabola, unless none"
    kind: Suppress[Literal["heatmap3d"]] = "heatmap3d"

    gives = frozenset({"heatmap", "volume"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map for each point and depth layer."""
        return {"volume": (self.points * self.bins, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point.

        Args:
            instances: one slot an image, K points, with depths where they are known.

        Returns:
            ``volume`` (B, K D, H, W) in [0, 1] with weight (B, K D, 1, 1), and ``heatmap`` (B, K, H, W) with weight (B,
            K, 1, 1); a point whose depth lies outside the volume is trained in ``heatmap`` only.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        rows, columns, drawn = gaussian_lines(xy, self.grid, self.sigma)
        known = known & drawn
        depth, depth_known = one_depth(instances, known)
        level = levels(depth.to(xy.dtype), self.depth, self.bins)
        depth_known = depth_known & (level >= -0.5) & (level < self.bins - 0.5)
        weight, deep = known.to(xy.dtype), depth_known.to(xy.dtype)
        heatmap = outer(rows * weight[..., None], columns)
        layers = bell(level, self.bins, self.sigma / self.grid.scale[0]) * deep[..., None]
        volume = (heatmap[:, :, None] * layers[..., None, None]).flatten(1, 2)
        return Target(
            maps={"volume": volume, "heatmap": heatmap, "xy": xy[:, None]},
            weight={
                "volume": deep.repeat_interleave(self.bins, 1)[..., None, None],
                "heatmap": weight[..., None, None],
                "xy": weight[:, None, :, None],
            },
        )

    def activate(self, maps: Maps) -> Maps:
        """The raw ``volume`` and ``heatmap`` (B, K, H, W), its maximum over the depths."""
        return {**maps, "heatmap": deepened(maps["volume"], self.points).amax(2)}

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells.

        Args:
            maps: ``volume`` (B, K D, H, W); NaN cells are never chosen.

        Returns:
            Poses (B, 1, K) with depths: image pixels and the data's unit; the score is the value of the highest cell.
        """
        volume = deepened(maps["volume"], self.points)
        # The layers of a point stacked into one tall map: its highest cell is that of the volume.
        tall, value = peak(volume.flatten(2, 3))
        level, row = tall[..., 1] // self.grid.height, tall[..., 1] % self.grid.height
        cell = torch.stack((tall[..., 0], row), dim=-1)
        at = level[..., None, None, None].expand(-1, -1, 1, *self.grid.shape)
        layer = volume.gather(2, at)[:, :, 0]
        width = window_width(self.sigma / self.grid.scale[0])
        place = refined(layer, cell, self.refine, width).to(value.dtype)
        depth = (self._between(volume, cell, level) + 0.5) / self.bins - 0.5
        return one_pose(self.grid.pixels(place), value, depth=depth * self.depth)

    def _between(self, volume: Tensor, cell: Tensor, level: Tensor) -> Tensor:
        """(B, K) depth in layers: the maximum of the parabola through three logarithms."""
        if self.refine == "none":
            return level.to(torch.promote_types(volume.dtype, torch.float32))
        number = (cell[..., 1] * self.grid.width + cell[..., 0])[..., None]
        around = (level[..., None] + torch.arange(-1, 2, device=level.device)).clamp(0, self.bins - 1)
        size = self.grid.height * self.grid.width
        below, here, above = sane(picked(volume.flatten(2, 3), around * size + number)).unbind(-1)
        between: Tensor = level + parabola_step(below, here, above, (level > 0) & (level < self.bins - 1))
        return between

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps, all depths of a point together; see `posekit.codecs.cells.mirrored` for a `RatioGrid`."""
        return {"volume": mirrored(maps["volume"], layered(order, self.bins), self.grid)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Integral3d(OnGrid):
    """Soft arg-max in a volume: the mean over columns, rows and depths of a softmax over all its cells.

    Source: Sun et al. 2018, arXiv:1711.08229.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    depth: float = Field(default=800.0, gt=0)
    "depth range of the volume around the root, in the unit of the data's depths"
    bins: int = Field(default=16, ge=2)
    "cells along the depth"
    beta: float = Field(default=1.0, gt=0)
    "sharpness of the softmax; 1 leaves it to the network"
    outside: Literal["strict", "ignore"] = "strict"
    "points beyond the outermost cell centres: strict leaves them out, ignore trains on them like on any other"
    kind: Suppress[Literal["integral3d"]] = "integral3d"

    gives = frozenset({"xy", "depth", "spread"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map for each point and depth layer."""
        return {"volume": (self.points * self.bins, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """The locations, and the depths where they are known.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``xy``, and ``depth`` (B, K, 1), -0.5 to 0.5 within the volume, with weight (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        if self.outside == "strict":
            known = known & inside_cells(xy, self.grid)
        weight = known.to(xy.dtype)
        depth, depth_weight = depth_fractions(instances, known, self.depth, xy)
        return Target(
            maps={"xy": xy[:, None], "depth": depth},
            weight={"xy": weight[:, None, :, None], "depth": depth_weight},
        )

    def _moments(self, volume: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, K, 2) mean and variance in cells, and (B, K) mean depth from -0.5 to 0.5."""
        deep = deepened(sane(volume), self.points)
        if self.beta != 1:
            deep = deep * self.beta
        weight = deep.flatten(2).softmax(-1).reshape(deep.shape)
        mean, variance = line_moments(weight.sum((2, 3)), weight.sum((2, 4)))
        level, _ = line_moments(weight.sum((3, 4)))
        return mean, variance, (level[..., 0] + 0.5) / self.bins - 0.5

    def activate(self, maps: Maps) -> Maps:
        """The raw ``volume``, ``xy`` and ``spread`` (B, 1, K, 2) in image pixels, and ``depth`` (B, K, 1)."""
        mean, variance, depth = self._moments(maps["volume"])
        return {
            **maps,
            "xy": self.grid.pixels(mean)[:, None],
            "spread": spread_pixels(variance, self.grid)[:, None],
            "depth": depth[..., None],
        }

    def perfect(self, target: Target) -> Maps:
        """Logits of a Gaussian with sigma of one cell around each location; at the root's depth where none is known."""
        xy, depth = (target_map(target, name, self.kind) for name in ("xy", "depth"))
        level = (depth + 0.5) * self.bins - 0.5
        return {"volume": soft_argmax_volumes(xy[:, 0], self.grid, self.beta, level, self.bins)}

    def decode(self, maps: Maps) -> Poses:
        """Means, with depths; the score falls from 1 with the spread: 1 / (1 + spread in cells)."""
        # The layers of a point stacked into one tall map.
        tall = deepened(maps["volume"], self.points).flatten(2, 3)
        columns, rows, _, top = softmax_lines(tall, self.beta)
        deep = rows.reshape(*rows.shape[:2], self.bins, self.grid.height)
        mean, variance = line_moments(columns, deep.sum(2))
        depth = (line_moments(deep.sum(3))[0][..., 0] + 0.5) / self.bins - 0.5
        known = top > 0.1 * LOWEST
        score = known / (1 + variance.sum(-1).clamp_min(0).sqrt())
        spread = spread_pixels(variance, self.grid)
        return one_pose(self.grid.pixels(mean), score, spread, depth * self.depth)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps, all depths of a point together; see `posekit.codecs.cells.mirrored` for a `RatioGrid`."""
        return {"volume": mirrored(maps["volume"], layered(order, self.bins), self.grid)}


def deepened(volume: Tensor, points: int) -> Tensor:
    """(B, K D, H, W) to (B, K, D, H, W)."""
    B, channels, H, W = volume.shape
    return volume.reshape(B, points, channels // points, H, W)


def layered(order: tuple[int, ...], bins: int) -> tuple[int, ...]:
    """Channel order of the layers for points in the given order."""
    return tuple(k * bins + level for k in order for level in range(bins))
