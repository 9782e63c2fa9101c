"""Fully convolutional regression: every cell of a coarse map predicts whether a point lies in it, and where."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import at_cell, mirrored, mirrored_pairs, nearest
from posekit.codecs.heatmap import activated_map, highest_cell, map_target, raw_map
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.single import inside_image, one_labelled, one_pose
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses

EDGE = 1e-3
"""Locations within this distance of a cell's edge, in cells, are moved inwards: their logits would be infinite."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GridRegression(OnGrid):
    """A class and an offset for each cell, as in box detectors.

    ``heatmap`` is 1 in the one cell that holds the point; ``offset`` holds x and y of each point in turn and has weight
    1 in that cell only.

    Source: YOLOv2, arXiv:1612.08242; SSD, arXiv:1512.02325.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    style: Literal["yolo", "ssd"] = "yolo"
    "yolo: a sigmoid gives the fraction of the cell; ssd: the distance from the cell's centre divided by the variance"
    variance: float = Field(default=0.1, gt=0)
    "ssd: how many cells an offset of 1 stands for"
    kind: Suppress[Literal["grid"]] = "grid"

    gives = frozenset({"heatmap", "logits", "peaks", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Three maps a point."""
        return {"heatmap": (self.points, *self.grid.shape), "offset": (2 * self.points, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """Mark the cell of each point, and write the point's position within the cell.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``heatmap`` (B, K, H, W), 0 or 1, with weight (B, K, 1, 1), under the names of logits and peaks too, and
            ``offset`` (B, 2K, H, W): fractions of the cell, or distances over the variance, with weight 1 in that cell.
            A point on the right or lower edge of the image belongs to the last cell; points outside have weight 0.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        known = known & inside_image(xy, self.image)
        place = self.grid.cells(xy)
        last = place.new_tensor((self.grid.width - 1, self.grid.height - 1))
        cell = torch.minimum(nearest(place).clamp_min(0), last)
        columns = torch.arange(self.grid.width, dtype=xy.dtype, device=xy.device) == cell[..., :1]
        rows = torch.arange(self.grid.height, dtype=xy.dtype, device=xy.device) == cell[..., 1:]
        own = (rows[..., :, None] & columns[..., None, :] & known[..., None, None]).to(xy.dtype)
        target = map_target(own, known.to(xy.dtype), xy, self.gives)
        within = self._shares(place - cell)
        offset = (own[:, :, None] * within[..., None, None]).flatten(1, 2)
        return Target(
            maps={**target.maps, "offset": offset},
            weight={**target.weight, "offset": own.repeat_interleave(2, 1)},
        )

    def _shares(self, step: Tensor) -> Tensor:
        """(B, K, 2) distances from the cell's centre, in cells, to the target of ``offset``."""
        if self.style == "ssd":
            return step / self.variance
        return (step + 0.5).clamp(EDGE, 1 - EDGE)

    def activate(self, maps: Maps) -> Maps:
        """The heatmaps as logits and after the sigmoid, and the offsets in the form of the target."""
        offset = maps["offset"].sigmoid() if self.style == "yolo" else maps["offset"]
        return {**activated_map(maps, self.gives), "offset": offset}

    def perfect(self, target: Target) -> Maps:
        """Logits of the heatmap, and the raw offsets."""
        offset = target_map(target, "offset", self.kind)
        if self.style == "yolo":
            offset = logits_of(offset)
        return {"heatmap": raw_map(target, self.kind, self.gives), "offset": offset}

    def decode(self, maps: Maps) -> Poses:
        """The cell with the highest logit, moved by its offset.

        Args:
            maps: ``heatmap`` (B, K, H, W) logits and ``offset`` (B, 2K, H, W) raw; NaN cells are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the sigmoid of the chosen cell.
        """
        cell, value = highest_cell(maps, self.gives)
        offset = at_cell(maps["offset"], cell).to(value.dtype)
        step = offset.sigmoid() - 0.5 if self.style == "yolo" else offset * self.variance
        step = torch.nan_to_num(step, 0.0, 0.0, 0.0)
        return one_pose(self.grid.pixels(cell.to(value.dtype) + step), value)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps and negate the raw offsets along x; see `posekit.codecs.cells.mirrored` for a `RatioGrid`."""
        return {
            "heatmap": mirrored(maps["heatmap"], order, self.grid),
            "offset": mirrored_pairs(maps["offset"], order, self.grid),
        }
