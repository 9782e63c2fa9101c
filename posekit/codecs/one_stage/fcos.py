"""A detector whose cells each tell one box, and, where wanted, the points of the same instance.

Tian et al. 2019, arXiv:1904.01355; the points as in the plain network that DirectPose starts from, Tian et al. 2019,
arXiv:1911.07451, section 3.1.
"""

from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.inverse import target_map
from posekit.codecs.one_stage.detector import Detector
from posekit.codecs.one_stage.instances import SIDES
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Fcos(Detector):
    """FCOS: cells near the centre of a box say that it is there, how far its sides are, and where its points lie.

    Centres of cells are those of our grids, so a mirror is exact. Decoding does not suppress: many of its instances
    are the same one, seen by several cells.

    Source: Tian et al. 2019. Differs: boxes are cut at the image's edge; cells in regions to ignore are not judged.
    """

    keypoints: bool = True
    "whether cells tell the points; off: boxes alone"
    kind: Suppress[Literal["fcos"]] = "fcos"

    @property
    def gives(self) -> frozenset[str]:
        """What losses may ask for."""
        return frozenset({"class", "box", "centreness"} | ({"points"} if self.keypoints else set()))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Class, box, centre-ness and the offsets to the points, of each level."""
        offsets = {"points": 2 * self.points} if self.keypoints else {}
        return self.levels.shapes({"class": 1, "box": 4, "centreness": 1} | offsets)

    def encode(self, instances: Instances) -> Target:
        """Let cells answer for instances; see `Detector.answers` and `Detector.offsets`."""
        answers = self.answers(instances)
        batch, maps, weights = answers.batch, answers.maps, answers.weights
        if self.keypoints:
            maps["points"], weights["points"] = self.offsets(answers)
        maps["xy"], weights["xy"] = batch.xy, batch.known[..., None].to(batch.xy.dtype)
        return Target(maps=maps, weight=weights)

    def activate(self, maps: Maps) -> Maps:
        """Rows of all levels: ``class`` and ``centreness`` logits, ``box`` in pixels, ``points`` in cells."""
        rows = self.rows(maps)
        if self.keypoints:
            rows["points"] = self.levels.row(maps, "points")
        return rows

    def perfect(self, target: Target) -> Maps:
        """Logits, distances and offsets of the target, as maps of all levels."""
        maps = self.raw(target, self.kind)
        return maps | (self.levels.maps(target_map(target, "points", self.kind), "points") if self.keypoints else {})

    def decode(self, maps: Maps) -> Poses:
        """The cells with the highest scores, their boxes and points.

        Returns:
            Poses (B, N, K), the best first, image pixels; a point's score is its instance's. Without points: all in
            the centre of the box, with score 0.
        """
        rows = self.activate(maps)
        found = self.found(rows)
        boxes = self.boxes_of(rows, found)
        if self.keypoints:
            xy = self.points_of(rows, found)
            score = found.score[..., None].expand(xy.shape[:-1])
        else:
            xy = ((boxes[..., :2] + boxes[..., 2:]) / 2)[:, :, None].expand(-1, -1, self.points, -1)
            score = torch.zeros_like(xy[..., 0])
        return Poses(xy=xy, score=score, instance_score=found.score, boxes=boxes)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps; left and right sides and mirror points trade places."""
        back: dict[str, Tensor] = {}
        for name in ("class", "centreness"):
            back |= self.turned(maps, name, (0,))
        back |= self.turned(maps, "box", SIDES)
        if self.keypoints:
            back |= self.turned_ways(maps, "points", order)
        return back
