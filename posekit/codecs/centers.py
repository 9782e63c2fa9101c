"""Gaussians on whole cells, with a width that follows from the box: CenterNet's and TTFNet's maps."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, finite, mirrored, mirrored_pairs, nearest, outer, picked, within
from posekit.codecs.heatmap import activated_map, decoded_map, highest_cell, map_names, map_target, raw_map
from posekit.codecs.inverse import target_map
from posekit.codecs.kernels import corner_radius, ellipse_radius, radius_sigma
from posekit.codecs.on_grid import OneMap, OnGrid
from posekit.codecs.single import one_box, one_labelled, one_pose
from posekit.codecs.smoothing import odd
from posekit.geometry.grid import AnyGrid, RatioGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CenterNet(OnGrid):
    """Round Gaussians with a radius from the box, and one map of sub-cell offsets from a cell to the point in it.

    The network gives logits, for focal losses. All points share ``offset``: where two lie in one cell, the target is
    the offset of the later one.

    Source: Zhou et al. 2019, arXiv:1904.07850; radius of CornerNet, arXiv:1808.01244, with its formula corrected.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    iou: float = Field(default=0.7, gt=0, lt=1)
    "least IoU of a box whose corners move by the Gaussian's radius; smaller gives wider Gaussians"
    compat: Literal["none", "centernet"] = "none"
    "centernet: the wider radius of its published code, and offsets from the upper left corner of a cell"
    kind: Suppress[Literal["centernet"]] = "centernet"

    gives = frozenset({"heatmap", "logits", "peaks", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map a point, and two offset maps that all points share."""
        return {"heatmap": (self.points, *self.grid.shape), "offset": (2, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point, and write the sub-cell offset into its cell.

        Args:
            instances: one slot an image, K points, and boxes.

        Returns:
            ``heatmap`` (B, K, H, W) with weight (B, K, 1, 1), under the names of logits and peaks too, and ``offset``
            (B, 2, H, W) in cells, with weight 1 in the cells of known points. Points outside the map have weight 0.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        place = self.grid.cells(xy)
        cell = place.floor() if self.compat == "centernet" else nearest(place)
        known = known & within(cell, self.grid.shape)
        size = one_box(instances, xy)[0] / xy.new_tensor(self.grid.scale)
        radius = corner_radius(size[:, 1], size[:, 0], self.iou, self.compat == "centernet")
        heatmap = gaussians(cell, radius[:, None, None].expand(len(xy), 1, 2), known, self.grid.shape)
        target = map_target(heatmap, known.to(xy.dtype), xy, self.gives)
        steps, weight = self._steps(cell, place, known)
        return Target(maps={**target.maps, "offset": steps}, weight={**target.weight, "offset": weight})

    def _steps(self, cell: Tensor, place: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, H, W) offsets and (B, 2, H, W) weights: 1 where a known point lies."""
        H, W = self.grid.shape
        # Unknown points are written to an extra cell behind the map, which is dropped.
        at = torch.where(known, cell[..., 1] * W + cell[..., 0], float(H * W)).long()
        flat = place.new_zeros(len(place), 2, H * W + 1)
        both = at[:, None].expand(-1, 2, -1)
        steps = flat.scatter(2, both, (place - cell).transpose(1, 2))
        weight = flat.scatter(2, both, 1.0)
        return tuple(value[..., :-1].reshape(-1, 2, H, W) for value in (steps, weight))  # type: ignore[return-value]

    def activate(self, maps: Maps) -> Maps:
        """The heatmaps as logits and after the sigmoid, and the raw ``offset``."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """Logits of the Gaussian peaks, and the offsets."""
        offset = target_map(target, "offset", self.kind)
        return {"heatmap": raw_map(target, self.kind, self.gives), "offset": offset}

    def decode(self, maps: Maps) -> Poses:
        """Highest cells, moved by the offset stored in them.

        Args:
            maps: ``heatmap`` (B, K, H, W) logits and ``offset`` (B, 2, H, W) cells; NaN cells are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the sigmoid of the highest cell.
        """
        cell, value = highest_cell(maps, self.gives)
        number = cell[..., 1] * self.grid.width + cell[..., 0]
        step = finite(picked(maps["offset"], number[:, None].expand(-1, 2, -1)).to(value.dtype)).transpose(1, 2)
        step = step.clamp(-2.0, 2.0)
        return one_pose(self.grid.pixels(cell.to(value.dtype) + step), value)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps and negate the offsets along x; exact, but off by ``1 / s`` cells on a `RatioGrid`."""
        if self.compat == "none":
            offset = mirrored_pairs(maps["offset"], (0,), self.grid)
            return {"heatmap": mirrored(maps["heatmap"], order, self.grid), "offset": offset}
        # Offsets in [0, 1) of a mirrored cell start from its other corner, which belongs to the cell before it.
        x, y = self._before(maps["offset"].flip(-1)).unbind(1)
        return {"heatmap": self._before(maps["heatmap"][:, list(order)].flip(-1)), "offset": torch.stack((1 - x, y), 1)}

    def _before(self, maps: Tensor) -> Tensor:
        """Shift maps left by one cell, repeating the last column; a `RatioGrid` needs no shift."""
        return maps if isinstance(self.grid, RatioGrid) else torch.cat((maps[..., 1:], maps[..., -1:]), dim=-1)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ttfnet(OneMap):
    """Elliptical Gaussians with the proportions of the box.

    Source: Liu et al. 2020, arXiv:1909.00700.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    alpha: float = Field(default=0.54, gt=0, le=1)
    "size of the Gaussian's window as a fraction of the box"
    activation: Literal["none", "sigmoid"] = "sigmoid"
    "sigmoid: the network gives logits, for focal losses; none: it gives the map itself, for squared losses"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "quarter"
    "how the location between cells is computed"
    blur: float = Field(default=0.0, ge=0)
    "width of the smoothing window of dark, image pixels; 0: no smoothing"
    kind: Suppress[Literal["ttfnet"]] = "ttfnet"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``logits`` and ``peaks`` where the network gives logits."""
        return map_names(self.activation, peaked=True)

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point; its radii are rounded down to whole cells. See `CenterNet.encode`."""
        xy, known = one_labelled(instances, self.points)
        cell = nearest(self.grid.cells(xy))
        known = known & within(cell, self.grid.shape)
        size = one_box(instances, xy)[0] / xy.new_tensor(self.grid.scale)
        most = size.new_tensor((self.grid.width, self.grid.height))
        radius = ellipse_radius(torch.minimum(size, most), self.alpha)
        heatmap = gaussians(cell, radius[:, None], known, self.grid.shape)
        return map_target(heatmap, known.to(xy.dtype), xy, self.gives)

    def activate(self, maps: Maps) -> Maps:
        """The map, and its logits where the network gives logits."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """The map, or its logits where the network gives logits."""
        return {"heatmap": raw_map(target, self.kind, self.gives)}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells; see `Heatmap.decode`."""
        return decoded_map(maps, self.gives, self.grid, self.refine, odd(self.blur / self.grid.scale[0]))


def gaussians(cell: Tensor, radius: Tensor, known: Tensor, shape: tuple[int, int]) -> Tensor:
    """(B, K, H, W) Gaussians around whole cells, 0 beyond a radius; exactly 1 at the cell.

    Args:
        cell: (B, K, 2) whole numbers.
        radius: (B, 1 or K, 2) cells, rounded down to whole cells.
        known: (B, K) bool; the maps of other points are 0.
        shape: (H, W).
    """
    whole, sigma = radius_sigma(radius.expand(*cell.shape[:2], 2))
    columns, rows = (
        bell(cell[..., axis], size, sigma[..., axis], whole[..., axis])
        for axis, size in enumerate((shape[1], shape[0]))
    )
    return outer(rows * known[..., None], columns)
