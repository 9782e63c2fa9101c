"""Points predicted by the cells of a pyramid from features read near the points, with auxiliary heatmaps.

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
    """DirectPose: cells near the centre of a box tell the points; the box is what these span.

    The finest level also learns, in training alone, which cell each point lies in. Decoding does not suppress.

    Source: Tian et al. 2019. Differs: as `Fcos`.
    """

    boxes: bool = False
    "whether cells tell a box as well; off: that around their points is taken"
    heatmaps: bool = True
    "whether the finest level learns where points of each kind lie; nothing is read there"
    kind: Suppress[Literal["directpose"]] = "directpose"

    @property
    def gives(self) -> frozenset[str]:
        """What losses may ask for."""
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
        """Let cells answer for instances; see `Detector.answers` and `Detector.offsets`.

        Returns:
            Those, and ``peaks`` (B, K, H, W), 1 in the cell of each labelled point and 0 elsewhere, with weight 0 in
            other cells of regions to ignore.
        """
        answers = self.answers(instances)
        batch, maps, weights = answers.batch, answers.maps, answers.weights
        maps["points"], weights["points"] = self.offsets(answers)
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
        """Mirror the maps; left and right sides and mirror points trade places."""
        back: dict[str, Tensor] = self.turned_ways(maps, "points", order)
        for name in ("class", "centreness"):
            back |= self.turned(maps, name, (0,))
        if self.boxes:
            back |= self.turned(maps, "box", SIDES)
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
