"""TTFNet for poses: every cell around a centre is a training sample for the box and the points.

Liu et al. 2020, arXiv:1909.00700.
"""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import LOWEST, bell, in_bands, mirrored, mirrored_pairs, nearest, outer, within
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.kernels import ellipse_radius, radius_sigma
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.one_stage.instances import (
    SIDES,
    BatchInstances,
    at_cells,
    batch_instances,
    clipped,
    local_maxima,
    max_gaussians,
    valid_mask,
    valid_or_peak,
)
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TtfPose(OnGrid):
    """Elliptical Gaussians on centres; their cells predict box and points, those near a peak with more weight.

    Source: Liu et al. 2020, arXiv:1909.00700. Differs: distances are measured from cell centres, boxes are continuous
    (no "+ 1"), a centre under the Gaussian of a smaller box keeps its own cell, and each cell also predicts the offset
    to every point.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    alpha: float = Field(default=0.54, gt=0, le=1)
    "size of the Gaussian's window as a fraction of the box"
    beta: float = Field(default=0.54, gt=0, le=1)
    "size of the region whose cells predict box and points, as a fraction of the box"
    unit: float = Field(default=16.0, gt=0)
    "pixels that an output of 1 stands for, in the distances to the sides and the offsets to the points"
    max_instances: int = Field(default=100, ge=1)
    "largest number of instances found in an image"
    kind: Suppress[Literal["ttf_pose"]] = "ttf_pose"

    gives = frozenset({"centre", "box", "point_offsets"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Centres, distances to the four sides, offsets to the points."""
        counts = {"centre": 1, "box": 4, "point_offsets": 2 * self.points}
        return {name: (count, *self.grid.shape) for name, count in counts.items()}

    @property
    def units(self) -> dict[str, tuple[float, float]]:
        """Pixels that an output of 1 stands for, along x and y, of maps that hold lengths."""
        return {"box": (self.unit, self.unit), "point_offsets": (self.unit, self.unit)}

    def encode(self, instances: Instances) -> Target:
        """Draw the Gaussians, and write the targets of their cells.

        Args:
            instances: N slots an image, K points, boxes; regions to ignore in slots of that role.

        Returns:
            ``centre`` (B, 1, H, W), exactly 1 at each centre, with weight 0 in regions to ignore; ``box`` (B, 4, H, W)
            pixels to the sides; ``point_offsets`` (B, 2 K, H, W) cells to the points. Weights of a Gaussian's cells sum
            to the logarithm of the box's area, minus the cells of smaller boxes.

        Raises:
            ValueError: another number of points.
        """
        batch = batch_instances(instances, self.points)
        boxes = clipped(batch.boxes, self.image)
        cell = nearest(self.grid.cells((boxes[..., :2] + boxes[..., 2:]) / 2))
        size = boxes[..., 2:] - boxes[..., :2]
        present = batch.present & within(cell, self.grid.shape) & (size > 0).all(-1)
        centre = self._gaussians(cell, size, present)
        box, points, share, known = self._targets(batch, boxes, cell, present)
        return Target(
            maps={"centre": centre, "box": box, "point_offsets": points, "xy": batch.xy},
            weight={
                "centre": valid_or_peak(valid_mask(instances, self.grid), centre),
                "box": share,
                "point_offsets": known,
                "xy": batch.known[..., None].to(batch.xy.dtype),
            },
        )

    def _gaussians(self, cell: Tensor, size: Tensor, present: Tensor) -> Tensor:
        """(B, 1, H, W) maximum over the Gaussians of all present instances."""
        rows, columns = self._lines(cell, size, self.alpha)
        return max_gaussians(rows[:, :, None], columns[:, :, None], present[..., None])

    def _lines(self, cell: Tensor, size: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """(B, N, H) and (B, N, W): factors of Gaussians around whole cells, for boxes of a size in pixels (B, N, 2)."""
        whole, sigma = radius_sigma(ellipse_radius(size / size.new_tensor(self.grid.scale), share))
        columns, rows = (
            bell(cell[..., axis], count, sigma[..., axis], whole[..., axis])
            for axis, count in ((0, self.grid.width), (1, self.grid.height))
        )
        return rows, columns

    def _targets(
        self, batch: BatchInstances, boxes: Tensor, cell: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Targets of each cell from its assigned instance, 0 where there is none.

        A cell is assigned to the smallest instance, unless it is the centre of another one: decoding reads centres.

        Returns:
            (B, 4, H, W) pixels to the sides, (B, 2 K, H, W) cells to the points, and weights (B, 1, H, W) of the first
            and (B, 2 K, H, W) of the second.
        """
        size = boxes[..., 2:] - boxes[..., :2]
        rows, columns = self._lines(cell, size, self.beta)
        rows = rows * present[..., None]
        area = size.prod(-1)
        # Boxes of a pixel or less would have a weight of 0 or below.
        worth = area.clamp_min(torch.e).log() / (rows.sum(-1) * columns.sum(-1)).clamp_min(1e-9)
        numbers = (boxes, self.grid.cells(batch.xy).flatten(2), batch.known.to(boxes.dtype))
        numbers_of = torch.cat(numbers, -1).transpose(1, 2)
        x, y = self.grid.axes(boxes)
        i, j = (torch.arange(count, dtype=x.dtype, device=x.device) for count in (len(x), len(y)))
        counts = (4, 2 * self.points, self.points)

        def draw(band: slice) -> Tensor:
            gaussians = outer(rows[..., band], columns)
            claim = torch.where(gaussians == 1, 0.0, area[..., None, None])
            least, assigned = torch.where(gaussians > 0, claim, torch.inf).min(1, keepdim=True)
            share = (gaussians * worth[..., None, None]).gather(1, assigned) * least.isfinite()
            shape = assigned.shape[2:]
            own = numbers_of.gather(2, assigned.flatten(2).expand(-1, sum(counts), -1)).unflatten(2, shape)
            sides, points, known = own.split(counts, 1)
            here = torch.stack((x.expand(shape), y[band, None].expand(shape)))
            box = torch.cat((here - sides[:, :2], sides[:, 2:] - here), 1).mul_(share > 0)
            weight = (known * share).repeat_interleave(2, 1)
            cells = torch.stack((i.expand(shape), j[band, None].expand(shape))).repeat(self.points, 1, 1)
            return torch.cat((box, (points - cells).mul_(weight > 0), share, weight), 1)

        each = len(boxes) * 2 * sum(counts) * self.grid.width
        maps = in_bands(draw, self.grid.height, each)
        box, offset, share, weight = maps.split((4, 2 * self.points, 1, 2 * self.points), 1)
        return box, offset, share, weight

    def activate(self, maps: Maps) -> Maps:
        """``centre`` as logits, ``box`` in pixels and not below 0, ``point_offsets`` in cells."""
        offsets = maps["point_offsets"].unflatten(1, (-1, 2)) * self._cells(maps["point_offsets"])
        return {**maps, "box": maps["box"].relu() * self.unit, "point_offsets": offsets.flatten(1, 2)}

    def perfect(self, target: Target) -> Maps:
        """Logits of the heatmaps, and the other targets in the network's unit.

        A negative distance, possible where a box is smaller than a cell, becomes 0.
        """
        centre, box, points = (target_map(target, name, self.kind) for name in ("centre", "box", "point_offsets"))
        offsets = points.unflatten(1, (-1, 2)) / self._cells(points)
        return {"centre": logits_of(centre), "box": box / self.unit, "point_offsets": offsets.flatten(1, 2)}

    def _cells(self, like: Tensor) -> Tensor:
        """(2, 1, 1) cells per unit, x before y."""
        return (self.unit / like.new_tensor(self.grid.scale))[:, None, None]

    def decode(self, maps: Maps) -> Poses:
        """The highest centres, with the boxes and points of their cells.

        Args:
            maps: as the network gives them.

        Returns:
            Poses (B, N, K), the best first: image pixels; scores are those of the centres.
        """
        logit, cell = local_maxima(maps["centre"], self.max_instances, floor=LOWEST)
        score, cell = logit[:, 0].sigmoid(), cell[:, 0]
        there = {
            name: at_cells(maps[name], cell).float().transpose(1, 2)[..., None] for name in ("box", "point_offsets")
        }
        activated = self.activate(there)
        box, offsets = (torch.nan_to_num(activated[name][..., 0].transpose(1, 2)) for name in ("box", "point_offsets"))
        place = cell.to(box.dtype)
        here = self.grid.pixels(place)
        xy = self.grid.pixels(place[:, :, None] + offsets.unflatten(-1, (-1, 2)))
        return Poses(
            xy=xy,
            score=score[..., None].expand(xy.shape[:-1]),
            instance_score=score,
            boxes=torch.cat((here - box[..., :2], here + box[..., 2:]), -1),
        )

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror maps, sides and offsets; exact except on a `RatioGrid`."""
        return {
            "centre": mirrored(maps["centre"], (0,), self.grid),
            "box": mirrored(maps["box"], SIDES, self.grid),
            "point_offsets": mirrored_pairs(maps["point_offsets"], order, self.grid),
        }
