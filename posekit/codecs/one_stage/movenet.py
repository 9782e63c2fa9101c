"""MoveNet's representation: centres, offsets from them, and heatmaps that are read near the points so predicted.

Google, 2021; there is no paper. What the published networks do was read from their graphs.
"""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import LOWEST, finite, mirrored, mirrored_pairs, sane
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.codecs.one_stage.instances import at_cells, clipped, local_maxima
from posekit.codecs.ranking import first_highest, top
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses

NEAR = 1.8
"""Cells added to a distance by which a probability is divided, in the decoding of one person."""
WIDTH = 0.3
"""Share of the map's shorter side that is twice the variance of the Gaussian around a predicted point, in cells."""

PLAIN = ("centre", "size")
"""Maps without a direction: a mirror moves their cells and changes no value."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MoveNetPose(OnGrid):
    """CenterNet's maps, with an offset within the cell for each kind of point, decoded as MoveNet does.

    The offsets at a centre predict where each point is; the point is the cell where its heatmap, weighted by the
    distance to that prediction, is highest. With ``single`` there is one person, the one nearest the middle, and the
    network needs no boxes in its output.

    Source: the graphs of MoveNet Lightning and Thunder (``single``) and MultiPose. Differs: more than six people may be
    decoded, and equal scores are ordered by their cell.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    single: Suppress[bool] = False
    "one person in a crop; off: all people of a full image"
    iou: float = Field(default=0.7, gt=0, lt=1)
    "target: overlap of a box with itself moved by the radius of its Gaussian; smaller makes wider Gaussians"
    max_instances: int = Field(default=6, ge=1)
    "most instances decoded in an image; the published network gives 6"
    margin: float = Field(default=0.5, ge=0)
    "cells around the box in which its points are looked for; the published network has 0 and loses points at the edge"
    point_threshold: float = Field(default=0.12695312, ge=0, le=1)
    "an instance's score is its centre's times the mean score of the points above this"
    kind: Suppress[Literal["movenet"]] = "movenet"

    gives = frozenset({"centre", "peaks", "size", "centre_offset", "point_offsets", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Centres, heatmaps, offsets to the points and within their cells; boxes too for several people."""
        K = self.points
        counts = {"centre": 1, "peaks": K, "point_offsets": 2 * K, "offset": 2 * K}
        if not self.single:
            counts |= {"size": 2, "centre_offset": 2}
        return {name: (count, *self.grid.shape) for name, count in counts.items()}

    @property
    def units(self) -> dict[str, tuple[float, float]]:
        """Pixels that an output of 1 stands for, along x and y, of maps that hold lengths: those of a cell."""
        return {name: self.grid.scale for name in self.shapes if name not in ("centre", "peaks")}

    def encode(self, instances: Instances) -> Target:
        """As `CenterPose.encode`, but ``offset`` (B, 2 K, H, W) holds x and y for each kind of point.

        Args:
            instances: N slots an image, K points, boxes; regions to ignore in slots of that role.

        Raises:
            ValueError: another number of points.
        """
        return CenterPose(points=self.points, grid=self.grid, iou=self.iou, offset_each=True).encode(instances)

    def activate(self, maps: Maps) -> Maps:
        """Nothing to do: ``centre`` and ``peaks`` are logits, all else is in cells."""
        return maps

    def perfect(self, target: Target) -> Maps:
        """Logits of the Gaussians, and the numbers of the target."""
        maps = {name: target_map(target, name, self.kind) for name in self.shapes}
        return {**maps, **{name: logits_of(maps[name]) for name in ("centre", "peaks")}}

    def decode(self, maps: Maps) -> Poses:
        """People and their points.

        Args:
            maps: as the network gives them.

        Returns:
            Poses (B, N, K), the best first: image pixels; N is 1 and there are no boxes for ``single``. A point's score
            is its heatmap's, for several people times the Gaussian of its distance to where the centre predicts it.
        """
        return self._one(maps) if self.single else self._several(maps)

    def _one(self, maps: Maps) -> Poses:
        """The person nearest the middle of the map; its score is the mean of its points'."""
        height, width = self.grid.shape
        middle = maps["centre"].new_tensor((width / 2, height / 2))
        centre = sane(maps["centre"]).sigmoid()
        _, at = first_highest((centre[:, 0] / (self._distance(middle, centre) + NEAR)).flatten(1))
        cell = torch.stack((at % width, at // width), -1)[:, None]
        expected = self._expected(maps, cell)
        value = sane(maps["peaks"]).sigmoid()
        near = value[:, None] / (self._distance(expected, value) + NEAR)
        xy, where = self._highest(maps, near)
        score = value.flatten(2).gather(2, where.transpose(1, 2)).transpose(1, 2)
        return Poses(xy=xy, score=score, instance_score=score.mean(-1))

    def _several(self, maps: Maps) -> Poses:
        """All people, with their boxes."""
        logit, cell = local_maxima(maps["centre"], self.max_instances, floor=LOWEST)
        sure, cell = logit[:, 0].sigmoid(), cell[:, 0]
        half = _numbers(maps["size"], cell).clamp_min(0.0) / 2
        centre = cell + _numbers(maps["centre_offset"], cell)
        low, high = centre - half, centre + half
        value = sane(maps["peaks"]).sigmoid()
        expected = self._expected(maps, cell)
        away = self._distance(expected, value).square()
        near = value[:, None] * torch.exp(-away / (WIDTH * min(self.grid.shape)))
        near = near * self._inside(low - self.margin, high + self.margin, value)[:, :, None]
        xy, where = self._highest(maps, near)
        # A box without cells leaves nothing to choose from: the point is where the centre predicts it.
        xy = torch.where((near.amax((-2, -1)) > 0)[..., None], xy, self.grid.pixels(expected))
        score = near.flatten(3).gather(3, where[..., None])[..., 0]
        counted = (score > self.point_threshold).to(score.dtype)
        worth = sure * (score * counted).sum(-1) / counted.sum(-1).clamp_min(1.0)
        worth, order = top(worth, worth.shape[-1])
        pixels = self.grid.pixels
        boxes = clipped(torch.cat((pixels(low), pixels(high)), -1), self.image)
        return Poses(
            xy=xy.gather(1, order[..., None, None].expand_as(xy)),
            score=score.gather(1, order[..., None].expand_as(score)),
            instance_score=worth,
            boxes=boxes.gather(1, order[..., None].expand_as(boxes)),
        )

    def _expected(self, maps: Maps, cell: Tensor) -> Tensor:
        """(B, N, K, 2) cells where the offsets in cells (B, N, 2) predict the points."""
        steps: Tensor = _numbers(maps["point_offsets"], cell).unflatten(-1, (-1, 2))
        return cell[:, :, None] + steps

    def _distance(self, position: Tensor, like: Tensor) -> Tensor:
        """(..., H, W) cells between positions (..., 2) and each cell."""
        x, y = (torch.arange(n, dtype=like.dtype, device=like.device) for n in self.grid.shape[::-1])
        square = (y - position[..., 1:]).square()[..., None] + (x - position[..., :1]).square()[..., None, :]
        return square.sqrt()

    def _inside(self, low: Tensor, high: Tensor, like: Tensor) -> Tensor:
        """(B, N, H, W) 1 in cells of the boxes with corners (B, N, 2) in cells, else 0."""
        x, y = (torch.arange(n, dtype=like.dtype, device=like.device) for n in self.grid.shape[::-1])
        columns = (x >= low[..., :1]) & (x <= high[..., :1])
        rows = (y >= low[..., 1:]) & (y <= high[..., 1:])
        return (rows[..., None] & columns[..., None, :]).to(like.dtype)

    def _highest(self, maps: Maps, near: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, N, K, 2) in pixels at the highest cells of maps (B, N, K, H, W), and the cells' numbers."""
        _, where = first_highest(near.flatten(3))
        offset = finite(maps["offset"].float()).unflatten(1, (-1, 2)).flatten(3)
        index = where.transpose(1, 2)[:, :, None].expand(-1, -1, 2, -1)
        step = offset.gather(3, index).permute(0, 3, 1, 2)
        cell = torch.stack((where % self.grid.width, where // self.grid.width), -1)
        return self.grid.pixels(cell + step), where

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror maps and offsets; exact but on a `RatioGrid`."""
        back = {
            name: mirrored(maps[name], tuple(range(maps[name].shape[1])), self.grid) for name in maps if name in PLAIN
        }
        back["peaks"] = mirrored(maps["peaks"], order, self.grid)
        pairs = {"offset": order, "point_offsets": order} | ({} if self.single else {"centre_offset": (0,)})
        return back | {name: mirrored_pairs(maps[name], whose, self.grid) for name, whose in pairs.items()}


def _numbers(maps: Tensor, cell: Tensor) -> Tensor:
    """(B, N, C) float32 of maps (B, C, H, W) at cells (B, N, 2); 0 for what is not finite."""
    return finite(at_cells(maps, cell).float())
