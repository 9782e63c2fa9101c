"""Hills as wide as the box asks for, with their tops on whole cells: CenterNet's and TTFNet's maps."""

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
    """Round hills as wide as the box tolerates, and one map of steps from a cell to the point in it.

    The network gives logits, for focal losses. ``offset`` is shared by all points: where two lie in one cell, the
    later one's is asked for.

    Source: Zhou et al. 2019, arXiv:1904.07850; radius of CornerNet, arXiv:1808.01244, corrected.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    iou: float = Field(default=0.7, gt=0, lt=1)
    "overlap that a box moved by the hill's radius keeps; smaller is wider"
    compat: Literal["none", "centernet"] = "none"
    "centernet takes the wider radius of its code, and cells and steps counted from their lower corner"
    kind: Suppress[Literal["centernet"]] = "centernet"

    gives = frozenset({"heatmap", "logits", "peaks", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map a point, and two that they share."""
        return {"heatmap": (self.points, *self.grid.shape), "offset": (2, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """Draw a hill a point, and the step to it in its cell.

        Args:
            instances: one slot an image, K points, and boxes.

        Returns:
            ``heatmap`` (B, K, H, W) with weight (B, K, 1, 1), under the names of logits and peaks too, and ``offset``
            (B, 2, H, W) in cells, with weight 1 in the cells of known points. Points outside the map count for nothing.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        place = self.grid.cells(xy)
        cell = place.floor() if self.compat == "centernet" else nearest(place)
        known = known & within(cell, self.grid.shape)
        size = one_box(instances, xy)[0] / xy.new_tensor(self.grid.scale)
        radius = corner_radius(size[:, 1], size[:, 0], self.iou, self.compat == "centernet")
        heatmap = hills(cell, radius[:, None, None].expand(len(xy), 1, 2), known, self.grid.shape)
        target = map_target(heatmap, known.to(xy.dtype), xy, self.gives)
        steps, weight = self._steps(cell, place, known)
        return Target(maps={**target.maps, "offset": steps}, weight={**target.weight, "offset": weight})

    def _steps(self, cell: Tensor, place: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, H, W) steps and (B, 2, H, W) weights: 1 where a known point lies."""
        H, W = self.grid.shape
        # What is not known is written to one cell behind the map.
        at = torch.where(known, cell[..., 1] * W + cell[..., 0], float(H * W)).long()
        flat = place.new_zeros(len(place), 2, H * W + 1)
        both = at[:, None].expand(-1, 2, -1)
        steps = flat.scatter(2, both, (place - cell).transpose(1, 2))
        weight = flat.scatter(2, both, 1.0)
        return tuple(value[..., :-1].reshape(-1, 2, H, W) for value in (steps, weight))  # type: ignore[return-value]

    def activate(self, maps: Maps) -> Maps:
        """The maps as logits and as their sigmoid, and the raw ``offset``."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """Logits of the Gaussian peaks, and the offsets."""
        offset = target_map(target, "offset", self.kind)
        return {"heatmap": raw_map(target, self.kind, self.gives), "offset": offset}

    def decode(self, maps: Maps) -> Poses:
        """Highest cells, moved by the step in them.

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
        """Mirror the maps and the steps along x; exact but on a `RatioGrid`, which leaves ``1 / s`` cells."""
        if self.compat == "none":
            offset = mirrored_pairs(maps["offset"], (0,), self.grid)
            return {"heatmap": mirrored(maps["heatmap"], order, self.grid), "offset": offset}
        # Steps within [0, 1) of a mirrored cell run from its other end, in the cell before it.
        x, y = self._before(maps["offset"].flip(-1)).unbind(1)
        return {"heatmap": self._before(maps["heatmap"][:, list(order)].flip(-1)), "offset": torch.stack((1 - x, y), 1)}

    def _before(self, maps: Tensor) -> Tensor:
        """Move maps left by one cell, the last column doubled; not on a `RatioGrid`, where they lie too far left."""
        return maps if isinstance(self.grid, RatioGrid) else torch.cat((maps[..., 1:], maps[..., -1:]), dim=-1)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ttfnet(OneMap):
    """Hills with the proportions of the box.

    Source: Liu et al. 2020, arXiv:1909.00700.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    alpha: float = Field(default=0.54, gt=0, le=1)
    "share of the box that a hill covers"
    activation: Literal["none", "sigmoid"] = "sigmoid"
    "sigmoid: the network gives logits, for focal losses; none: it gives the map itself, for squared ones"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "quarter"
    "how the place between cells is found"
    blur: float = Field(default=0.0, ge=0)
    "width of the window that smooths a map before dark looks at it, image pixels; 0: none"
    kind: Suppress[Literal["ttfnet"]] = "ttfnet"

    @property
    def gives(self) -> frozenset[str]:
        """``logits`` and ``peaks`` where the network gives logits."""
        return map_names(self.activation, peaked=True)

    def encode(self, instances: Instances) -> Target:
        """Draw a hill a point; its radii are cut to whole cells. See `CenterNet.encode`."""
        xy, known = one_labelled(instances, self.points)
        cell = nearest(self.grid.cells(xy))
        known = known & within(cell, self.grid.shape)
        size = one_box(instances, xy)[0] / xy.new_tensor(self.grid.scale)
        most = size.new_tensor((self.grid.width, self.grid.height))
        radius = ellipse_radius(torch.minimum(size, most), self.alpha)
        heatmap = hills(cell, radius[:, None], known, self.grid.shape)
        return map_target(heatmap, known.to(xy.dtype), xy, self.gives)

    def activate(self, maps: Maps) -> Maps:
        """The map, and its logits where it has some."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """The map, or its logits where the network gives those."""
        return {"heatmap": raw_map(target, self.kind, self.gives)}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells; see `Heatmap.decode`."""
        return decoded_map(maps, self.gives, self.grid, self.refine, odd(self.blur / self.grid.scale[0]))


def hills(cell: Tensor, radius: Tensor, known: Tensor, shape: tuple[int, int]) -> Tensor:
    """(B, K, H, W) Gaussians around whole cells, cut at a radius; exactly 1 at the cell.

    Args:
        cell: (B, K, 2) whole numbers.
        radius: (B, 1 or K, 2) cells, cut to whole ones.
        known: (B, K) bool; the others draw nothing.
        shape: (H, W).
    """
    whole, sigma = radius_sigma(radius.expand(*cell.shape[:2], 2))
    columns, rows = (
        bell(cell[..., axis], size, sigma[..., axis], whole[..., axis])
        for axis, size in enumerate((shape[1], shape[0]))
    )
    return outer(rows * known[..., None], columns)
