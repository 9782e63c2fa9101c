"""FCPose: instances detected by cells, and a small dynamic network for the points of each.

Mao et al. 2021, arXiv:2105.14185.
"""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, mirrored, mirrored_pairs, nearest, within
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.one_stage.detector import Assignment, Detector
from posekit.codecs.one_stage.instances import SIDES, BatchInstances, max_gaussians, valid_mask, valid_or_peak
from posekit.codecs.ranking import peak, top
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FCPose(Detector):
    """FCPose: FCOS detects the instances; each has dynamic filters that give a map for each of its points.

    A point lies in the highest cell of its map, moved by the offset that this cell predicts to the nearest point of the
    same kind, of any instance. `decode` does not suppress duplicates.

    Source: Mao et al. 2021. Differs: cell centres are those of `Grid`; cells to train on are chosen by their
    centre-ness target, not by the network's output; the offsets from cells to points are in cells.
    """

    learnt: int = Field(default=8, ge=1)
    "largest number of cells of an image whose instance maps are trained; shared evenly by the instances"
    sides: bool = True
    "whether shared features also learn heatmaps of all points, fine and coarse; used in training only"
    sigma: float = Field(default=3.6, gt=0)
    "sigma of the Gaussians in the fine heatmaps, image pixels; twice that in the coarse ones"
    kind: Suppress[Literal["fcpose"]] = "fcpose"

    @property
    def gives(self) -> frozenset[str]:
        """Names of the activated maps that losses may ask for."""
        return frozenset({"class", "box", "centreness", "point_maps", "refine", *self._sides})

    @property
    def fine(self) -> int:
        """Stride of the finest level, whose grid the points' maps lie on."""
        return self.strides[0]

    @property
    def _sides(self) -> dict[str, tuple[Grid, float]]:
        """Name, grid and sigma in pixels of each auxiliary heatmap."""
        if not self.sides:
            return {}
        finer = max(self.fine // 4, 1)
        widths = ((finer, self.sigma), (self.fine, 2 * self.sigma))
        return {f"side_{stride}": (Grid.of(self.size, stride), sigma) for stride, sigma in widths}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Class, box and centre-ness of each level; offsets and auxiliary heatmaps on the finest and finer grids."""
        shapes = self.levels.shapes({"class": 1, "box": 4, "centreness": 1})
        shapes["refine"] = (2 * self.points, *self.levels.grids[0].shape)
        return shapes | {name: (self.points, *grid.shape) for name, (grid, _) in self._sides.items()}

    def encode(self, instances: Instances) -> Target:
        """Assign cells to instances, see `Detector.assignment`, and choose some to train points on.

        Returns:
            Those; ``cell`` (B, P), the chosen ones, with weight 1; ``point_maps`` (B, P, K, 3), for each of their
            points the location in cells of the finest level and the mean side of the instance's box, with a weight that
            the cells of an instance share; ``side_2`` and the like, heatmaps of all points.

        Raises:
            ValueError: another number of points.
        """
        assignment = self.assignment(instances)
        batch, maps, weights = assignment.batch, assignment.maps, assignment.weights
        maps["cell"], weights["cell"], maps["point_maps"], weights["point_maps"] = self._chosen(assignment)
        for name, (grid, sigma) in self._sides.items():
            maps[name] = _gaussians(batch, grid, sigma)
            weights[name] = valid_or_peak(valid_mask(instances, grid), maps[name])
        maps["xy"], weights["xy"] = batch.xy, batch.known[..., None].to(batch.xy.dtype)
        return Target(maps=maps, weight=weights)

    def _chosen(self, assignment: Assignment) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Cells (B, P) and their weights; targets (B, P, K, 3) of their points' maps, and weights (B, P, K)."""
        batch, grid = assignment.batch, self.levels.grids[0]
        height, width = self.size
        seen = batch.known & ((batch.xy > 0) & (batch.xy < batch.xy.new_tensor((width, height)))).all(-1)
        each = torch.arange(batch.present.shape[1], device=assignment.assigned.device)
        own = (assignment.assigned[:, None] == each[:, None]) & seen.any(-1)[..., None]
        centre = torch.where(own, assignment.maps["centreness"], 0.0)
        best, cell = top(centre, self.learnt)
        # The best cell of every instance comes before the second of any.
        worth = torch.where(best > 0, best - torch.arange(best.shape[-1], device=best.device), -torch.inf)
        worth, number = top(worth.flatten(1), best.shape[-1])
        chosen, who = worth.isfinite(), number // best.shape[-1]
        alike = (who[:, :, None] == who[:, None]) & chosen[:, None]
        share = chosen / alike.sum(-1).clamp_min(1)
        point = batch.xy.flatten(2).gather(1, who[..., None].expand(-1, -1, 2 * self.points)).unflatten(-1, (-1, 2))
        side = ((assignment.boxes[..., 2:] - assignment.boxes[..., :2]).mean(-1) / grid.scale[0]).gather(1, who)
        truth = torch.cat((grid.cells(point), side[:, :, None, None].expand(*point.shape[:-1], 1)), -1)
        weight = share[..., None] * seen.gather(1, who[..., None].expand(-1, -1, self.points))
        cell = torch.where(chosen, cell.flatten(1).gather(1, number), 0)
        return cell, chosen.to(truth.dtype), truth, weight.to(truth.dtype)

    def sampled(self, target: Target) -> Tensor:
        """(B, P) cells to train on; see `PerInstance`."""
        return target.maps["cell"]

    def select(self, maps: Maps) -> Tensor:
        """(B, P) cells with the highest scores; see `PerInstance`."""
        return self.found(self.rows(maps)).cell

    def activate(self, maps: Maps) -> Maps:
        """Rows of all levels as in `Fcos`; ``refine`` as locations in cells; instance maps and heatmaps unchanged."""
        rows = self.rows(maps)
        offsets = maps["refine"].unflatten(1, (-1, 2))
        height, width = offsets.shape[-2:]
        column = torch.arange(width, dtype=offsets.dtype, device=offsets.device).expand(height, width)
        row = torch.arange(height, dtype=offsets.dtype, device=offsets.device)[:, None].expand(height, width)
        rows["refine"] = (offsets + torch.stack((column, row))).flatten(1, 2)
        return rows | {name: maps[name] for name in ("point_maps", "cell", *self._sides) if name in maps}

    def perfect(self, target: Target) -> Maps:
        """Logits and distances of the target, and maps of the instances trained on, highest in their points' cells.

        ``refine`` is the offset to the nearest labelled point of the same kind. ``point_maps`` (B, P, K, H, W) and
        ``cell`` (B, P) are the network's output for `sampled` instances, so `decode` finds only these, at most
        ``learnt``.
        """
        maps = self.raw(target, self.kind)
        maps |= {name: logits_of(target_map(target, name, self.kind)) for name in self._sides}
        truth, (height, width) = target_map(target, "point_maps", self.kind), self.levels.grids[0].shape
        cell = nearest(truth[..., :2])
        x, y = (
            torch.arange(size, dtype=truth.dtype, device=truth.device) == cell[..., axis, None].clamp(0, size - 1)
            for axis, size in enumerate((width, height))
        )
        maps["point_maps"] = logits_of((y[..., None] & x[..., None, :]).to(truth.dtype))
        maps["refine"] = self._nearest(target.maps["xy"], target.weight["xy"][..., 0] > 0)
        return maps | {"cell": target.maps["cell"]}

    def _nearest(self, xy: Tensor, known: Tensor) -> Tensor:
        """(B, 2 K, H, W) offset in cells from each cell to the nearest known point of (B, N, K, 2); 0 without one."""
        grid = self.levels.grids[0]
        place = grid.cells(xy)
        columns, rows = (
            place[..., axis, None] - torch.arange(size, dtype=xy.dtype, device=xy.device)
            for axis, size in ((0, grid.width), (1, grid.height))
        )
        away = rows.square()[..., None] + columns.square()[..., None, :]
        far, which = torch.where(known[..., None, None], away, torch.inf).min(1, keepdim=True)
        axes = (columns[..., None, :].expand(away.shape), rows[..., None].expand(away.shape))
        offset = torch.stack([axis.gather(1, which)[:, 0] for axis in axes], 2)
        return torch.where(far.isfinite()[:, 0, :, None], offset, 0.0).flatten(1, 2)

    def decode(self, maps: Maps) -> Poses:
        """The chosen cells, their boxes and the points of their maps.

        Args:
            maps: of the network, and of the instances in the cells that `select` chose.

        Returns:
            Poses (B, N, K), the best first, image pixels; a point's score is the sigmoid of its map's highest logit.
        """
        rows = self.activate(maps)
        found = self.found_at(rows, maps["cell"].long())
        at, value = peak(maps["point_maps"].flatten(1, 2))
        at, value = (found.unflatten(1, (-1, self.points)) for found in (at, value))
        grid = self.levels.grids[0]
        number = (at[..., 1] * grid.width + at[..., 0]).transpose(1, 2)
        place = rows["refine"].flatten(2).unflatten(1, (-1, 2)).gather(3, number[:, :, None].expand(-1, -1, 2, -1))
        xy = grid.pixels(torch.nan_to_num(place.float(), 0.0, 0.0, 0.0).permute(0, 3, 1, 2))
        score = value.sigmoid()
        return Poses(xy=xy, score=score, instance_score=found.score, boxes=self.boxes_of(rows, found))

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps, and the instance maps with the indices of their cells.

        Features that the network keeps for the instances are dropped: their filters cannot be mirrored.
        """
        back: dict[str, Tensor] = self.mirrored_level(maps, "box", SIDES)
        for name in ("class", "centreness"):
            back |= self.mirrored_level(maps, name, (0,))
        back["refine"] = mirrored_pairs(maps["refine"], order, self.levels.grids[0])
        back |= {name: mirrored(maps[name], order, grid) for name, (grid, _) in self._sides.items()}
        if "point_maps" in maps:
            back["point_maps"] = maps["point_maps"][:, :, list(order)].flip(-1)
            back["cell"] = self.levels.mirror(maps["cell"])
        return back


def _gaussians(batch: BatchInstances, grid: Grid, sigma: float) -> Tensor:
    """(B, K, H, W) maximum over instances of the Gaussians of known points, exactly 1 in the point's own cell."""
    cell = nearest(grid.cells(batch.xy))
    drawn = batch.known & within(cell, grid.shape)
    (sx, sy), (height, width) = grid.scale, grid.shape
    columns, rows = bell(cell[..., 0], width, sigma / sx), bell(cell[..., 1], height, sigma / sy)
    return max_gaussians(rows, columns, drawn)
