"""DEKR: heatmaps of points and centres, and around each centre the offsets to all points of the instance.

Geng et al. 2021, arXiv:2104.02300.
"""

import math
from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, finite, mirrored, mirrored_pairs, nearest, within
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.one_stage.centre_offsets import centre_of, diagonal_of, offsets_around
from posekit.codecs.one_stage.instances import (
    BatchInstances,
    at_cells,
    batch_instances,
    local_maxima,
    max_gaussians,
    valid_mask,
)
from posekit.codecs.one_stage.reading import read_locations
from posekit.codecs.ranking import top
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import IGNORE, Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Dekr(OnGrid):
    """DEKR: an instance is detected at the Gaussian on its centre, and the offsets in that cell give its points.

    ``heatmap`` has K + 1 maps, that of the centres last; ``point_offsets`` has x and y to each point in turn, in cells:
    the point minus the cell.

    Source: Geng et al. 2021, arXiv:2104.02300. Differs: the authors' code has the cell minus the point; a cell is
    assigned to one instance with all its points, there for each point separately; the centre is not rounded down to a
    whole cell before the cells around it are chosen; sizes are those of the labelled points, see ``compat``; scores are
    read with bilinear interpolation.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=8.0, gt=0)
    "sigma of the points' Gaussians, image pixels"
    centre_sigma: float = Field(default=16.0, gt=0)
    "sigma of the centres' Gaussians, image pixels"
    background: float = Field(default=0.1, ge=0)
    "weight of background cells; cells within 3 sigma and 2 cells of a point have weight 1"
    radius: float = Field(default=16.0, gt=0)
    "how far from a centre, along each axis, cells are trained to give the offsets; image pixels"
    min_area: float = Field(default=1024.0, ge=0)
    "instances with a smaller area, in square pixels of the network's input, have no centre and no offsets"
    unit: Annotated[float, Field(gt=0)] | None = None
    "pixels that an output of 1 stands for, in the offsets to the points; unset: a cell, as published"
    activation: Literal["none", "sigmoid"] = "none"
    "sigmoid: the heatmaps are given as logits; none: as they are, as published"
    compat: Literal["none", "dekr"] = "none"
    "dekr: the instance size of the authors' code, which grows with the distance from the corner of the image"
    max_instances: int = Field(default=30, ge=1)
    "largest number of instances found in an image"
    window: Annotated[int, Field(ge=1)] | None = None
    "side in cells of the local-maximum window of centres, odd; unset: 3, on maps above 200 cells 5, above 300 7"
    kind: Suppress[Literal["dekr"]] = "dekr"

    @property
    def gives(self) -> frozenset[str]:
        """The maps, and ``logits`` where the heatmaps are given as such."""
        return frozenset({"heatmap", "point_offsets"} | ({"logits"} if self.activation == "sigmoid" else set()))

    def __post_init__(self) -> None:
        if self.window is not None and self.window % 2 == 0:
            raise ValueError(f"the side of a window must be odd; got {self.window}, use {self.window + 1}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Heatmaps of the points and, last, of the centres; offsets to the points."""
        return {"heatmap": (self.points + 1, *self.grid.shape), "point_offsets": (2 * self.points, *self.grid.shape)}

    @property
    def units(self) -> dict[str, tuple[float, float]]:
        """Pixels that an output of 1 stands for, along x and y, of the offsets to the points."""
        return {"point_offsets": self.grid.scale if self.unit is None else (self.unit, self.unit)}

    def encode(self, instances: Instances) -> Target:
        """Draw the Gaussians, and write the offsets around each centre.

        Args:
            instances: N slots an image, K points, boxes and areas; regions to ignore in slots of that role.

        Returns:
            ``heatmap`` (B, K + 1, H, W) with weight 1 near its Gaussians, ``background`` elsewhere and 0 in regions to
            ignore and boxes of instances without a label; ``point_offsets`` (B, 2 K, H, W) with weight 1 over the
            instance's size in assigned cells, else 0.

        Raises:
            ValueError: another number of points.
        """
        batch = batch_instances(instances, self.points)
        labelled = batch.known.any(-1)
        place = self.grid.cells(batch.xy)
        centre = self.grid.cells(centre_of(batch))
        shown = batch.known & within(nearest(place), self.grid.shape)
        used = labelled & (batch.area >= self.min_area) & within(nearest(centre), self.grid.shape)
        spots = torch.cat((place, centre[:, :, None]), 2)
        heatmap, near = self._gaussians(spots, torch.cat((shown, used[..., None]), -1))
        blank = replace(instances, role=torch.where(batch.present & ~labelled, IGNORE, instances.role))
        weight = valid_mask(blank, self.grid)
        weight = weight * torch.where(self._spread(near), weight.new_tensor(1.0), self.background)
        x, y = self.grid.scale
        reach = self.radius / x, self.radius / y
        offsets, worth = offsets_around(place, shown, centre, used, self._size(batch), reach, self.grid.shape)
        known = batch.known[..., None].to(batch.xy.dtype)
        names = self.gives - {"point_offsets"}
        return Target(
            maps={**dict.fromkeys(names, heatmap), "point_offsets": offsets, "xy": batch.xy},
            weight={
                **dict.fromkeys(names, weight),
                "point_offsets": worth.repeat_interleave(2, 1),
                "xy": known,
            },
        )

    def _gaussians(self, spots: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Gaussians (B, K + 1, H, W) on locations (B, N, K + 1, 2) in cells, and which cells lie near one."""
        (columns, beside), (rows, above) = (self._along(spots[..., axis], axis) for axis in (0, 1))
        near = torch.einsum("bnkh,bnkw->bkhw", above * drawn[..., None], beside) > 0
        return max_gaussians(rows, columns, drawn), near

    def _along(self, at: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Gaussians (B, N, K + 1, cells) along one axis, x before y, and 1 in the cells near their centres."""
        count = self.grid.shape[1 - axis]
        sigma = at.new_tensor([self.sigma] * self.points + [self.centre_sigma]) / self.grid.scale[axis]
        away = (torch.arange(count, dtype=at.dtype, device=at.device) - at[..., None]).abs()
        return bell(at, count, sigma), (away < (3 * sigma + 2)[:, None]).to(at.dtype)

    def _spread(self, near: Tensor) -> Tensor:
        """Which cells (B, K + 1 or 1, H, W) have weight 1, from those near a Gaussian of the same map."""
        return near

    def _size(self, batch: BatchInstances) -> Tensor:
        """(B, N) diagonals in cells, at least that of the smallest instance trained on and at least a cell."""
        x, y = self.grid.scale
        diagonal = diagonal_of(batch, self.compat == "dekr")
        return diagonal.clamp_min(max(math.sqrt(self.min_area), x)) / math.sqrt(x * y)

    def activate(self, maps: Maps) -> Maps:
        """``heatmap``, with its logits where they are given, and ``point_offsets`` in cells."""
        logits = {"logits": maps["heatmap"]} if self.activation == "sigmoid" else {}
        offsets = self._cells(maps["point_offsets"])
        return {**maps, **logits, "heatmap": self._heatmap(maps), "point_offsets": offsets}

    def perfect(self, target: Target) -> Maps:
        """The maps of the target in the network's unit."""
        maps = {name: target_map(target, name, self.kind) for name in self.shapes}
        heatmap = logits_of(maps["heatmap"]) if self.activation == "sigmoid" else maps["heatmap"]
        return {"heatmap": heatmap, "point_offsets": self._cells(maps["point_offsets"], back=True)}

    def _heatmap(self, maps: Maps) -> Tensor:
        return maps["heatmap"].sigmoid() if self.activation == "sigmoid" else maps["heatmap"]

    def _cells(self, offsets: Tensor, back: bool = False) -> Tensor:
        """Offsets (B, 2 K, ...) of the network in cells, or ``back``; unchanged where a unit is a cell."""
        if self.unit is None:
            return offsets
        cells = [self.unit / scale for scale in self.grid.scale]
        factor = offsets.new_tensor([1 / each for each in cells] if back else cells).repeat(self.points)
        return offsets * factor.reshape(-1, *[1] * (offsets.ndim - 2))

    def decode(self, maps: Maps) -> Poses:
        """The highest centres, and the points given by the offsets in their cells.

        Args:
            maps: as the network gives them.

        Returns:
            Poses (B, N, K), the best first, with boxes around the points: image pixels; a point's score is the centre's
            value times the point's heatmap at its location, an instance's score the mean over its points. If there are
            fewer centres, the rest have score 0 and are read from the first cell. The same person may be found several
            times: see `posekit.postprocess.pose_nms`.
        """
        heatmap = self._heatmap(maps)
        centre, place = self._regressed(heatmap, maps["point_offsets"])
        return self._poses(centre, place, read_locations(heatmap, place))

    def _regressed(self, heatmap: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N) values of the centres and (B, N, K, 2) locations in cells."""
        value, cell = (found[:, 0] for found in local_maxima(heatmap[:, -1:], self.max_instances, self._window()))
        # If there are fewer centres, all remaining entries are read from the first cell.
        cell = torch.where(value[..., None] > 0, cell, 0)
        offsets = finite(self._cells(at_cells(offsets, cell).float().transpose(1, 2)).transpose(1, 2))
        return value, cell[:, :, None].to(offsets.dtype) + offsets.unflatten(-1, (-1, 2))

    def _poses(self, centre: Tensor, place: Tensor, value: Tensor) -> Poses:
        """Poses from centre values (B, N), locations (B, N, K, 2) in cells and the heatmaps there (B, N, K)."""
        score = centre.clamp(0.0, 1.0)[..., None] * value.clamp(0.0, 1.0)
        best, order = top(score.mean(-1), score.shape[1])
        xy = self.grid.pixels(place).gather(1, order[..., None, None].expand(place.shape))
        score = score.gather(1, order[..., None].expand(score.shape))
        return Poses(xy=xy, score=score, instance_score=best, boxes=torch.cat((xy.amin(-2), xy.amax(-2)), -1))

    def _window(self) -> int:
        mean = sum(self.grid.shape) / 2
        return self.window or (3 if mean <= 200 else 5 if mean <= 300 else 7)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror maps and offsets; exact except on a `RatioGrid`."""
        return {
            "heatmap": mirrored(maps["heatmap"], (*order, self.points), self.grid),
            "point_offsets": mirrored_pairs(maps["point_offsets"], order, self.grid),
        }
