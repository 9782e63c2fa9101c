"""Minimal codecs for tests: each gives only the maps that some losses need, with a plausible target."""

from dataclasses import dataclass

import torch

from posekit.codecs.base import Target
from posekit.codecs.single import one_labelled

STRIDE, ROWS, COLUMNS = 4, 7, 5


@dataclass(frozen=True)
class StandIn:
    """K points on 7 x 5 cells of 4 pixels."""

    points: int

    def activate(self, maps):
        return dict(maps)

    def encode(self, instances):
        xy, known = one_labelled(instances, self.points)
        weight = known.to(xy.dtype)
        maps, weights = self.draw(xy, weight)
        return Target({**maps, "xy": xy[:, None]}, {**weights, "xy": weight[:, None, :, None]})


def offsets(xy):
    """(B, K, 2, H, W) cells from each cell to the point."""
    columns = torch.arange(COLUMNS, dtype=xy.dtype).expand(ROWS, COLUMNS)
    rows = torch.arange(ROWS, dtype=xy.dtype)[:, None].expand(ROWS, COLUMNS)
    return (xy / STRIDE - 0.5)[..., None, None] - torch.stack((columns, rows))


@dataclass(frozen=True)
class Fields(StandIn):
    """One vector field a point, as if each had a bone."""

    kind = "fields"
    gives = frozenset({"paf"})

    @property
    def shapes(self):
        return {"paf": (2 * self.points, ROWS, COLUMNS)}

    def draw(self, xy, weight):
        field = torch.nn.functional.normalize(offsets(xy), dim=2).flatten(1, 2)
        return {"paf": field}, {"paf": weight.repeat_interleave(2, 1)[..., None, None]}


@dataclass(frozen=True)
class Dense(StandIn):
    """Each point sees the cell it lies in, and from every cell a box with sides at least a cell away."""

    kind = "dense"
    gives = frozenset({"class", "centreness", "box"})

    @property
    def shapes(self):
        shape = (ROWS, COLUMNS)
        return {
            "class": (self.points, *shape),
            "centreness": (self.points, *shape),
            "box": (4 * self.points, *shape),
        }

    def activate(self, maps):
        return {**maps, "box": maps["box"].relu() + 0.5}

    def draw(self, xy, weight):
        away = offsets(xy)
        there = (away.abs() <= 0.5).all(2).to(xy.dtype)
        maps = {"class": there, "centreness": there}
        maps["box"] = 1 + torch.cat((away.abs(), 2 * away.abs()), 2).flatten(1, 2)
        weights = {name: weight[..., None, None] for name in ("class", "centreness")}
        return maps, weights | {"box": weight.repeat_interleave(4, 1)[..., None, None]}


@dataclass(frozen=True)
class OneEach(StandIn):
    """A map of each point of the only instance, offsets from all cells, and side heatmaps."""

    kind = "one each"
    gives = frozenset({"point_maps", "refine", "side_8"})

    @property
    def shapes(self):
        shape = (ROWS, COLUMNS)
        return {
            "point_maps": (1, self.points, *shape),
            "refine": (2 * self.points, *shape),
            "side_8": (self.points, *shape),
        }

    def draw(self, xy, weight):
        place = (xy / STRIDE - 0.5)[:, None]
        heatmaps = torch.exp(-offsets(xy).square().sum(2))
        maps = {"point_maps": torch.cat((place, torch.full_like(place[..., :1], 3.0)), -1), "side_8": heatmaps}
        return maps, {"point_maps": weight[:, None], "side_8": weight[..., None, None]}

    def best(self, name, truth):
        """The map that a target wants: highest in the cell of each point, and offsets that end there."""
        place = truth[..., :2]
        if name == "refine":
            return place[:, 0].flatten(1)[..., None, None].repeat(1, 1, ROWS, COLUMNS)
        inside = (offsets((place[:, 0] + 0.5) * STRIDE).abs() <= 0.5).all(2)
        return torch.where(inside, 0.0, -100.0).to(place.dtype)[:, None]
