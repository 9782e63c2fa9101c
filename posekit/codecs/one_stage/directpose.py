"""DirectPose: cells of a pyramid predict points from features sampled near the points, with auxiliary heatmaps.

Tian et al. 2019, arXiv:1911.07451.
"""

from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import mirrored, nearest, within
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.one_stage.detector import Detector
from posekit.codecs.one_stage.instances import SIDES, BatchInstances, valid_mask
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DirectPose(Detector):
    """DirectPose: cells near the centre of a box predict the points; the box is the one around them.

    In training, the finest level also learns which cell each point lies in. `decode` does not suppress duplicates.

    Source: Tian et al. 2019. Differs: as `Fcos`.
    """

    boxes: bool = False
    "whether cells predict a box as well; off: the box around their points"
    heatmaps: bool = True
    "whether the finest level learns auxiliary heatmaps of the points; they are not used in decoding"
    kind: Suppress[Literal["directpose"]] = "directpose"

    @property
    def gives(self) -> frozenset[str]:
        """Names of the activated maps that losses may ask for."""
        return frozenset({"class", "centreness", "points"} | set(self._more))

    @property
    def _more(self) -> list[str]:
        return [name for name, wanted in (("box", self.boxes), ("peaks", self.heatmaps)) if wanted]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Class, box, centre-ness and the offsets to the points, of each level; ``peaks`` of the finest."""
        box = {"box": 4} if self.boxes else {}
        shapes = self.levels.shapes({"class": 1} | box | {"centreness": 1, "points": 2 * self.points})
        return shapes | ({"peaks": (self.points, *self.levels.grids[0].shape)} if self.heatmaps else {})

    def encode(self, instances: Instances) -> Target:
        """Assign cells to instances; see `Detector.assignment` and `Detector.offsets`.

        Returns:
            Those, and ``peaks`` (B, K, H, W), 1 in the cell of each labelled point and 0 elsewhere, with weight 0 in
            other cells of regions to ignore.
        """
        assignment = self.assignment(instances)
        batch, maps, weights = assignment.batch, assignment.maps, assignment.weights
        maps["points"], weights["points"] = self.offsets(assignment)
        if not self.boxes:
            del maps["box"], weights["box"]
        if self.heatmaps:
            finest = self.levels.grids[0]
            maps["peaks"] = hit(batch, finest)
            weights["peaks"] = torch.maximum(valid_mask(instances, finest), maps["peaks"])
        maps["xy"], weights["xy"] = batch.xy, batch.known[..., None].to(batch.xy.dtype)
        return Target(maps=maps, weight=weights)

    def activate(self, maps: Maps) -> Maps:
        """Rows of all levels: ``class`` and ``centreness`` logits, ``points`` in cells; ``peaks`` as it is, logits."""
        rows = self.rows(maps) | {"points": self.levels.row(maps, "points")}
        return rows | {name: maps[name] for name in ("peaks",) if name in maps}

    def perfect(self, target: Target) -> Maps:
        """As `Fcos.perfect`, and ``peaks`` as logits."""
        maps = self.raw(target, self.kind, self.boxes)
        maps |= self.levels.maps(target_map(target, "points", self.kind), "points")
        return maps | ({"peaks": logits_of(target_map(target, "peaks", self.kind))} if self.heatmaps else {})

    def decode(self, maps: Maps) -> Poses:
        """The cells with the highest scores, their points and boxes.

        Returns:
            Poses (B, N, K), the best first, image pixels; a point's score is its instance's.
        """
        rows = self.activate(maps)
        found = self.found(rows)
        xy = self.points_of(rows, found)
        boxes = self.boxes_of(rows, found) if self.boxes else torch.cat((xy.amin(2), xy.amax(2)), -1)
        score = found.score[..., None].expand(xy.shape[:-1])
        return Poses(xy=xy, score=score, instance_score=found.score, boxes=boxes)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps; left and right sides and mirror points are swapped."""
        back: dict[str, Tensor] = self.mirrored_offsets(maps, "points", order)
        for name in ("class", "centreness"):
            back |= self.mirrored_level(maps, name, (0,))
        if self.boxes:
            back |= self.mirrored_level(maps, "box", SIDES)
        if self.heatmaps:
            back["peaks"] = mirrored(maps["peaks"], order, self.levels.grids[0])
        return back


def hit(batch: BatchInstances, grid: Grid) -> Tensor:
    """(B, K, H, W) 1 in the cells that a known point of its kind lies in, else 0."""
    cell = nearest(grid.cells(batch.xy))
    drawn = batch.known & within(cell, grid.shape)
    # What is not drawn goes to a cell behind the last.
    number = torch.where(drawn, cell[..., 1] * grid.width + cell[..., 0], float(grid.height * grid.width))
    flat = batch.xy.new_zeros(*drawn.shape[::2], grid.height * grid.width + 1)
    gaussians: Tensor = flat.scatter(2, number.long().transpose(1, 2), 1.0)[..., :-1].unflatten(-1, grid.shape)
    return gaussians
