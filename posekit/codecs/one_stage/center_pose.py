"""CenterNet for poses: instances as centre points with sizes and offsets to the points, and heatmaps of the points.

Zhou et al. 2019, arXiv:1904.07850.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import LOWEST, bell, finite, mirrored, mirrored_pairs, nearest, sane, within
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.kernels import corner_radius, radius_sigma
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.one_stage.instances import (
    BatchInstances,
    at_cells,
    batch_instances,
    clipped,
    local_maxima,
    max_gaussians,
    valid_mask,
    valid_or_peak,
    written,
)
from posekit.codecs.ranking import first_highest
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses

SPARED = 0.9999
"""Target of a cell that is neither a centre nor background: its focal loss is almost 0."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CenterPose(OnGrid):
    """CenterNet for poses: a Gaussian on the centre of each box; size and points are predicted in its cell.

    Each point also has a heatmap; its nearest local maximum replaces the point predicted at the centre, if its score is
    high enough. Sizes and offsets are counted from cell centres, so a flip is exact.

    Source: Zhou et al. 2019, arXiv:1904.07850. Differs: people without a labelled point are neither centre nor
    background, as in the paper's text (its code overwrites them); both formulas for the radius, see ``compat``.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    iou: float = Field(default=0.7, gt=0, lt=1)
    "least IoU of a box whose corners move by the Gaussian's radius; smaller gives wider Gaussians"
    compat: Literal["none", "centernet"] = "none"
    "centernet: the wider radius of its published code"
    unit: Annotated[float, Field(gt=0)] | None = None
    "pixels that an output of 1 stands for, in the sizes and the offsets to the points; unset: a cell"
    offset_each: bool = False
    "a sub-cell offset for each kind of point, as MoveNet's heads have it; off: one that all points share, as published"
    max_instances: int = Field(default=32, ge=1)
    "largest number of instances found in an image"
    snap: bool = True
    "whether points move to local maxima of the heatmaps; off: each point is that predicted at the centre"
    candidates: int = Field(default=100, ge=1)
    "local maxima of each heatmap that are considered"
    point_threshold: float = Field(default=0.1, ge=0, le=1)
    "local maxima with a lower score are not used"
    snap_distance: float = Field(default=0.3, gt=0)
    "how far a point may move to a local maximum, in longer sides of the box"
    kind: Suppress[Literal["center_pose"]] = "center_pose"

    gives = frozenset({"centre", "peaks", "size", "centre_offset", "point_offsets", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Centres, sizes, offsets of centres and to the points, heatmaps of the points and their sub-cell offsets."""
        counts = {
            "centre": 1,
            "size": 2,
            "centre_offset": 2,
            "point_offsets": 2 * self.points,
            "peaks": self.points,
            "offset": 2 * self.points if self.offset_each else 2,
        }
        return {name: (count, *self.grid.shape) for name, count in counts.items()}

    @property
    def units(self) -> dict[str, tuple[float, float]]:
        """Pixels that an output of 1 stands for, along x and y, of maps that hold lengths."""
        cell = self.grid.scale
        unit = cell if self.unit is None else (self.unit, self.unit)
        return {"size": unit, "point_offsets": unit, "centre_offset": cell, "offset": cell}

    def encode(self, instances: Instances) -> Target:
        """Draw the Gaussians, and write the targets into the cell of each centre.

        Args:
            instances: N slots an image, K points, boxes; regions to ignore in slots of that role.

        Returns:
            ``centre`` (B, 1, H, W) and ``peaks`` (B, K, H, W), exactly 1 at each, with weight 0 in regions to ignore;
            ``size``, ``centre_offset``, ``point_offsets`` and ``offset`` in cells, with weight 1 in the cells that hold
            a centre or point.

        Raises:
            ValueError: another number of points.
        """
        batch = batch_instances(instances, self.points)
        scale = batch.xy.new_tensor(self.grid.scale)
        boxes = clipped(batch.boxes, self.image)
        size = (boxes[..., 2:] - boxes[..., :2]) / scale
        place = self.grid.cells((boxes[..., :2] + boxes[..., 2:]) / 2)
        cell = nearest(place)
        labelled = batch.known.any(-1)
        present = batch.present & within(cell, self.grid.shape) & (size > 0).all(-1)
        centre = self._gaussians(cell[:, :, None], size, (present & labelled)[..., None])
        alone = (~labelled & present)[..., None]
        spared, _ = written(torch.full_like(place[..., :1], SPARED), cell, alone, self.grid.shape)
        kept = present & labelled
        values = torch.cat((size, place - cell, (self.grid.cells(batch.xy) - cell[:, :, None]).flatten(2)), -1)
        points = batch.known & within(nearest(self.grid.cells(batch.xy)), self.grid.shape)
        mask = torch.cat((kept[..., None].expand(-1, -1, 4), (points & kept[..., None]).repeat_interleave(2, -1)), -1)
        value, weight = written(values, cell, mask, self.grid.shape)
        parts = {"size": slice(0, 2), "centre_offset": slice(2, 4), "point_offsets": slice(4, None)}
        maps = {name: value[:, part] for name, part in parts.items()}
        weights = {name: weight[:, part] for name, part in parts.items()}
        everywhere = valid_mask(instances, self.grid)
        maps["centre"], weights["centre"] = (
            torch.maximum(centre, spared),
            valid_or_peak(everywhere, centre),
        )
        self._add_points(batch, size, points & kept[..., None], everywhere, maps, weights)
        maps["xy"], weights["xy"] = batch.xy, batch.known[..., None].to(batch.xy.dtype)
        return Target(maps=maps, weight=weights)

    def _gaussians(self, cell: Tensor, size: Tensor, drawn: Tensor) -> Tensor:
        """(B, C, H, W) Gaussians around whole cells (B, N, C, 2), with radii from box sizes (B, N, 2) in cells."""
        radius = corner_radius(size[..., 1], size[..., 0], self.iou, self.compat == "centernet")
        whole, sigma = radius_sigma(radius[..., None].expand(cell.shape[:-1]))
        columns, rows = (
            bell(cell[..., axis], count, sigma, whole) for axis, count in ((0, self.grid.width), (1, self.grid.height))
        )
        return max_gaussians(rows, columns, drawn)

    def _add_points(
        self,
        batch: BatchInstances,
        size: Tensor,
        drawn: Tensor,
        everywhere: Tensor,
        maps: dict[str, Tensor],
        weights: dict[str, Tensor],
    ) -> None:
        """Gaussians of the points, and the sub-cell offset of each, in one map for all points or one for each."""
        place = self.grid.cells(batch.xy)
        cell = nearest(place)
        maps["peaks"] = self._gaussians(cell, size, drawn)
        weights["peaks"] = valid_or_peak(everywhere, maps["peaks"])
        parts = place - cell, cell, drawn
        if self.offset_each:
            # Kinds of points are folded into the batch: they do not compete for cells.
            steps, cells, kept = (part.transpose(1, 2).flatten(0, 1) for part in parts)
        else:
            steps, cells, kept = (part.flatten(1, 2) for part in parts)
        pair = written(steps, cells, kept, self.grid.shape)
        maps["offset"], weights["offset"] = (part.reshape(len(place), -1, *self.grid.shape) for part in pair)

    def activate(self, maps: Maps) -> Maps:
        """``centre`` and ``peaks`` as logits, all others in cells."""
        return {**maps, **self._scaled(maps, lambda value, cells: value * cells)}

    def perfect(self, target: Target) -> Maps:
        """Logits of the heatmaps, and the other targets in the network's unit."""
        maps = {name: target_map(target, name, self.kind) for name in self.shapes}
        logits = {name: logits_of(maps[name]) for name in ("centre", "peaks")}
        return {**maps, **logits, **self._scaled(maps, lambda value, cells: value / cells)}

    def _scaled(self, maps: Maps, change: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
        """``size`` and ``point_offsets`` scaled by the cells of a unit (2, 1, 1); unchanged where a unit is a cell."""
        if self.unit is None:
            return {}
        cells = maps["size"].new_tensor([self.unit / scale for scale in self.grid.scale])[:, None, None]
        offsets = change(maps["point_offsets"].unflatten(1, (-1, 2)), cells)
        return {"size": change(maps["size"], cells), "point_offsets": offsets.flatten(1, 2)}

    def decode(self, maps: Maps) -> Poses:
        """The highest centres, their boxes and points.

        Args:
            maps: as the network gives them.

        Returns:
            Poses (B, N, K), the best first: image pixels; an instance has the score of its centre; a point the score of
            its local maximum where it moved to one, else the centre's score times its heatmap at its location.
        """
        logit, cell = local_maxima(maps["centre"], self.max_instances, floor=LOWEST)
        score, cell = logit[:, 0].sigmoid(), cell[:, 0]
        there = {
            name: at_cells(maps[name], cell).float().transpose(1, 2)[..., None] for name in ("size", "point_offsets")
        }
        activated = self.activate({**maps, **there})
        size, offsets = (finite(activated[name][..., 0].transpose(1, 2)) for name in ("size", "point_offsets"))
        step = finite(at_cells(maps["centre_offset"], cell).float())
        centre = cell.to(step.dtype) + step
        half = size.clamp_min(0.0) / 2
        place = cell[:, :, None].to(offsets.dtype) + offsets.unflatten(-1, (-1, 2))
        low, high = centre - half, centre + half
        own = score[..., None].expand(place.shape[:-1])
        if self.snap:
            place, own = self._snapped(maps, place, own, low, high)
        pixels = self.grid.pixels
        return Poses(
            xy=pixels(place), score=own, instance_score=score, boxes=torch.cat((pixels(low), pixels(high)), -1)
        )

    def _snapped(self, maps: Maps, place: Tensor, own: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, N, K, 2) in cells moved to the nearest local maximum within the box, and their scores."""
        logit, cell = local_maxima(maps["peaks"], self.candidates, floor=LOWEST)
        value = logit.sigmoid()
        K, n = value.shape[1:]
        if self.offset_each:
            step = at_cells(maps["offset"].reshape(-1, 2, *self.grid.shape), cell.flatten(0, 1)).unflatten(0, (-1, K))
        else:
            step = at_cells(maps["offset"], cell.flatten(1, 2)).unflatten(1, (K, n))
        step = finite(step.float()).clamp(-2.0, 2.0)
        there = cell.to(step.dtype) + step
        away = torch.cdist(place.transpose(1, 2), there)
        away = torch.where((value > self.point_threshold)[:, :, None], away, torch.inf)
        near, which = (t.transpose(1, 2) for t in first_highest(-away))
        at = torch.arange(K, device=which.device) * n + which
        flat = at.flatten(1)
        candidate = there.flatten(1, 2).gather(1, flat[..., None].expand(-1, -1, 2)).unflatten(1, which.shape[1:])
        worth = value.flatten(1).gather(1, flat).unflatten(1, which.shape[1:])
        longest = (high - low).amax(-1)[..., None]
        inside = ((candidate >= low[:, :, None]) & (candidate <= high[:, :, None])).all(-1)
        good = inside & (-near <= self.snap_distance * longest)
        score = torch.where(good, worth, own * self._read(maps["peaks"], place))
        return torch.where(good[..., None], candidate, place), score

    def _read(self, logits: Tensor, place: Tensor) -> Tensor:
        """(B, N, K) sigmoid of each point's heatmap in the cell where it lies; 0 outside the map."""
        cell = nearest(place)
        inside = within(cell, self.grid.shape)
        cell = torch.where(inside[..., None], cell, 0.0).long()
        number = (cell[..., 1] * self.grid.width + cell[..., 0]).transpose(1, 2)
        value = sane(logits.flatten(2).gather(2, number).transpose(1, 2)).sigmoid()
        return torch.where(inside, value, 0.0)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror maps and offsets; exact except on a `RatioGrid`."""
        back = {name: mirrored(maps[name], tuple(range(maps[name].shape[1])), self.grid) for name in ("centre", "size")}
        back["peaks"] = mirrored(maps["peaks"], order, self.grid)
        vectors = {
            "centre_offset": (0,),
            "offset": order if self.offset_each else (0,),
            "point_offsets": order,
        }
        return back | {name: mirrored_pairs(maps[name], whose, self.grid) for name, whose in vectors.items()}
