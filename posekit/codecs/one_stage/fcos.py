"""FCOS: a detector whose cells each predict one box and, optionally, the points of the same instance.

Tian et al. 2019, arXiv:1904.01355; points as in the baseline of DirectPose, Tian et al. 2019, arXiv:1911.07451, section
3.1.
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
    """FCOS: cells near the centre of a box predict its class, the distances to its sides, and its points.

    Cell centres are those of `Grid`, so a flip is exact. `decode` does not suppress duplicates: several cells may
    predict the same instance.

    Source: Tian et al. 2019. Differs: boxes are clipped to the image; cells in regions to ignore have weight 0.
    """

    keypoints: bool = True
    "whether cells predict the points; off: boxes only"
    kind: Suppress[Literal["fcos"]] = "fcos"

    @property
    def gives(self) -> frozenset[str]:
        """Names of the activated maps that losses may ask for."""
        return frozenset({"class", "box", "centreness"} | ({"points"} if self.keypoints else set()))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Class, box, centre-ness and the offsets to the points, of each level."""
        offsets = {"points": 2 * self.points} if self.keypoints else {}
        return self.levels.shapes({"class": 1, "box": 4, "centreness": 1} | offsets)

    def encode(self, instances: Instances) -> Target:
        """Assign cells to instances; see `Detector.assignment` and `Detector.offsets`."""
        assignment = self.assignment(instances)
        batch, maps, weights = assignment.batch, assignment.maps, assignment.weights
        if self.keypoints:
            maps["points"], weights["points"] = self.offsets(assignment)
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
            Poses (B, N, K), the best first, image pixels; a point's score is its instance's. Without points, all lie in
            the centre of the box with score 0.
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
        """Mirror the maps; left and right sides and mirror points are swapped."""
        back: dict[str, Tensor] = {}
        for name in ("class", "centreness"):
            back |= self.mirrored_level(maps, name, (0,))
        back |= self.mirrored_level(maps, "box", SIDES)
        if self.keypoints:
            back |= self.mirrored_offsets(maps, "points", order)
        return back
