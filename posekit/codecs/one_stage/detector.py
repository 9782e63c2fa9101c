"""What the codecs of FCOS and its kin share: which cells see an instance, its box, and how far in the centre they are.

Tian et al. 2019, arXiv:1904.01355.
"""

from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import mirrored, mirrored_pairs, sane
from posekit.codecs.inverse import log_of, logits_of, target_map
from posekit.codecs.one_stage.instances import BatchInstances, batch_instances
from posekit.codecs.one_stage.levels import Levels, assign, centreness, of_assigned, outlines
from posekit.codecs.ranking import top
from posekit.geometry.keypoints import Instances

Pixels = Annotated[int, Field(gt=0)]


@plain_dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Who is there, and which cell answers for whom.

    Args:
        batch: the instances.
        boxes: (B, N, 4) image pixels, within the image.
        assigned: (B, L) number of the instance, N where there is none.
        maps: targets in rows of L, by name.
        weights: of the same names.
    """

    batch: BatchInstances
    boxes: Tensor
    assigned: Tensor
    maps: dict[str, Tensor]
    weights: dict[str, Tensor]


@plain_dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The best cells of each image.

    Args:
        cell: (B, P) numbers of cells.
        score: (B, P) in [0, 1], falling.
        place: (B, P, 2) centres of the cells in image pixels.
        scale: (B, P) pixels a cell there.
    """

    cell: Tensor
    score: Tensor
    place: Tensor
    scale: Tensor

    def read(self, row: Tensor) -> Tensor:
        """(B, P, C) what a row (B, C, L) says in those cells; 0 where it says nothing."""
        values = row.gather(2, self.cell[:, None].expand(-1, row.shape[1], -1)).transpose(1, 2)
        return torch.nan_to_num(values, 0.0, 0.0, 0.0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Detector:
    """Boxes of a scene, told by the cells of several levels."""

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Pixels, Pixels]]
    "(height, width) of the image in pixels"
    strides: Suppress[tuple[Pixels, ...]] = (8, 16, 32, 64, 128)
    "of the levels, finest first"
    center_sampling_radius: float = Field(default=1.5, ge=0)
    "cells answer for a box up to so many of them from its centre, along each axis; 0: wherever they lie in it"
    regress_range: float = Field(default=8.0, gt=0)
    "how far away, in its cells, the furthest side may be that a level looks after; half of that is the least"
    distances: Literal["relu", "exp"] = "relu"
    "how raw maps become distances to the sides of the box; exp is that of the first edition of the paper"
    max_instances: int = Field(default=100, ge=1)
    "cells read in an image, at most; many of them may see the same instance"

    def __post_init__(self) -> None:
        _ = self.levels

    @cached_property
    def levels(self) -> Levels:
        """Where the cells lie."""
        return Levels(self.size, self.strides)

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    def answers(self, instances: Instances) -> Answers:
        """Who is seen by which cells, and what these should say of class, box and centre-ness.

        Args:
            instances: N slots an image, K points, boxes; regions to ignore in slots of that role.

        Returns:
            ``class`` (B, 1, L), 1 in cells that answer for someone, with weight 0 for others in regions to ignore;
            ``centreness`` (B, 1, L) with weight 1 in those cells; ``box`` (B, 4, L), distances in pixels, weighted by
            centre-ness.

        Raises:
            ValueError: another number of points.
        """
        batch = batch_instances(instances, self.points)
        boxes = outlines(batch, self.size)
        assigned = assign(self.levels, boxes, batch.present, self.center_sampling_radius, self.regress_range)
        own = of_assigned(boxes, assigned)
        place = self.levels.locations(boxes)
        seen = (assigned < boxes.shape[1])[:, None].to(boxes.dtype)
        box = torch.cat((place - own[..., :2], own[..., 2:] - place), -1).transpose(1, 2) * seen
        centre = centreness(box) * seen
        maps = {"class": seen, "centreness": centre, "box": box}
        weights = {"class": torch.maximum(self.levels.valid_mask(instances), seen), "centreness": seen, "box": centre}
        return Answers(batch, boxes, assigned, maps, weights)

    def offsets(self, answers: Answers) -> tuple[Tensor, Tensor]:
        """From each cell to the points of its instance: (B, 2 K, L) in its cells, and weights.

        A known point weighs as much as the cell is in the centre, so that the mean is over points, not over cells.
        """
        batch, own = answers.batch, answers.assigned
        xy = of_assigned(batch.xy.flatten(2), own).unflatten(-1, (-1, 2))
        place, scale = self.levels.locations(xy), self.levels.scale(xy)
        way = ((xy - place[:, None]) / scale[:, None, None]).flatten(2).transpose(1, 2)
        known = of_assigned(batch.known.to(xy.dtype), own).repeat_interleave(2, -1).transpose(1, 2)
        weight = known * answers.weights["box"]
        return way * (weight > 0), weight

    def rows(self, maps: Maps) -> dict[str, Tensor]:
        """``class`` and ``centreness`` (B, 1, L), logits, and ``box`` (B, 4, L), pixels to the sides, where given."""
        rows = {name: self.levels.row(maps, name) for name in ("class", "centreness")}
        if f"box_{self.strides[0]}" in maps:
            raw = self.levels.row(maps, "box")
            # The bound keeps the exponential of an untrained network finite.
            cells = raw.relu() if self.distances == "relu" else raw.clamp_max(12.0).exp()
            rows["box"] = cells * self.levels.scale(raw)
        return rows

    def raw(self, target: Target, kind: str, boxes: bool = True) -> dict[str, Tensor]:
        """The inverse of `rows`: maps of all levels that become the target's ``class``, ``centreness`` and ``box``.

        Args:
            target: of a codec of that ``kind``.
            kind: the codec's.
            boxes: whether its cells tell boxes.
        """
        rows = {name: logits_of(target_map(target, name, kind)) for name in ("class", "centreness")}
        if boxes:
            sides = target_map(target, "box", kind)
            cells = sides / self.levels.scale(sides)
            rows["box"] = cells if self.distances == "relu" else log_of(cells)
        return {key: value for name, row in rows.items() for key, value in self.levels.maps(row, name).items()}

    def found(self, rows: Maps) -> Found:
        """The cells with the highest scores, roots of class times centre-ness; equal ones in the order of cells."""
        score = self._scores(rows)
        return self._at(score, top(score, self.max_instances)[1])

    def found_at(self, rows: Maps, cell: Tensor) -> Found:
        """Chosen cells (B, P), in their order."""
        return self._at(self._scores(rows), cell)

    def _at(self, score: Tensor, cell: Tensor) -> Found:
        place, scale = self.levels.locations(score)[cell], self.levels.scale(score)[cell]
        return Found(cell, score.gather(1, cell), place, scale)

    def _scores(self, rows: Maps) -> Tensor:
        """(B, L) in [0, 1]; 0 where there is no number."""
        return (sane(rows["class"]).sigmoid() * sane(rows["centreness"]).sigmoid()).sqrt()[:, 0]

    def boxes_of(self, rows: Maps, found: Found) -> Tensor:
        """(B, P, 4) image pixels."""
        sides = found.read(rows["box"].float())
        return torch.cat((found.place - sides[..., :2], found.place + sides[..., 2:]), -1)

    def points_of(self, rows: Maps, found: Found) -> Tensor:
        """(B, P, K, 2) image pixels, from offsets ``points`` in cells."""
        way = found.read(rows["points"].float()).unflatten(-1, (-1, 2))
        place: Tensor = found.place[:, :, None] + way * found.scale[..., None, None]
        return place

    def turned(self, maps: Maps, name: str, order: tuple[int, ...]) -> dict[str, Tensor]:
        """All levels of a name mirrored, with their channels in another order."""
        keys = self.levels.named(name)
        return {key: mirrored(maps[key], order, grid) for key, grid in zip(keys, self.levels.grids, strict=True)}

    def turned_ways(self, maps: Maps, name: str, order: tuple[int, ...]) -> dict[str, Tensor]:
        """The same of pairs of x and y: points in the order of their mirrors, x to the other side."""
        keys = self.levels.named(name)
        return {key: mirrored_pairs(maps[key], order, grid) for key, grid in zip(keys, self.levels.grids, strict=True)}
