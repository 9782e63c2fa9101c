"""Base of the codecs of FCOS, DirectPose and FCPose: assignment of cells to instances, boxes and centre-ness.

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
class Assignment:
    """The instances of a batch, the cells assigned to them, and the targets of these cells.

    Args:
        batch: the instances.
        boxes: (B, N, 4) image pixels, within the image.
        assigned: (B, L) index of the assigned instance, N where there is none.
        maps: targets over the L cells of all levels, by name.
        weights: of the same names.
    """

    batch: BatchInstances
    boxes: Tensor
    assigned: Tensor
    maps: dict[str, Tensor]
    weights: dict[str, Tensor]


@plain_dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The cells with the highest scores in each image.

    Args:
        cell: (B, P) indices of cells.
        score: (B, P) in [0, 1], descending.
        place: (B, P, 2) centres of the cells in image pixels.
        scale: (B, P) pixels per cell of their level.
    """

    cell: Tensor
    score: Tensor
    place: Tensor
    scale: Tensor

    def read(self, row: Tensor) -> Tensor:
        """(B, P, C) values of a row (B, C, L) in these cells; 0 where not finite."""
        values = row.gather(2, self.cell[:, None].expand(-1, row.shape[1], -1)).transpose(1, 2)
        return torch.nan_to_num(values, 0.0, 0.0, 0.0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Detector:
    """Boxes of an image, predicted by the cells of a feature pyramid."""

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Pixels, Pixels]]
    "(height, width) of the image in pixels"
    strides: Suppress[tuple[Pixels, ...]] = (8, 16, 32, 64, 128)
    "strides of the levels, finest first"
    center_sampling_radius: float = Field(default=1.5, ge=0)
    "a cell is assigned to a box up to this many cells from its centre, along each axis; 0: anywhere in the box"
    regress_range: float = Field(default=8.0, gt=0)
    "a level handles boxes whose furthest side is at most this many of its cells away, and at least half of that"
    distances: Literal["relu", "exp"] = "relu"
    "how raw maps become distances to the sides of the box; exp: as in the first version of the paper"
    max_instances: int = Field(default=100, ge=1)
    "largest number of cells decoded in an image; many of them may predict the same instance"

    def __post_init__(self) -> None:
        _ = self.levels

    @cached_property
    def levels(self) -> Levels:
        """The levels of the pyramid."""
        return Levels(self.size, self.strides)

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    def assignment(self, instances: Instances) -> Assignment:
        """Assign cells to instances, with the targets of class, box and centre-ness.

        Args:
            instances: N slots an image, K points, boxes; regions to ignore in slots of that role.

        Returns:
            ``class`` (B, 1, L), 1 in assigned cells, with weight 0 for other cells in regions to ignore; ``centreness``
            (B, 1, L) with weight 1 in those cells; ``box`` (B, 4, L), distances in pixels, weighted by centre-ness.

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
        return Assignment(batch, boxes, assigned, maps, weights)

    def offsets(self, assignment: Assignment) -> tuple[Tensor, Tensor]:
        """Offsets from each cell to the points of its instance, (B, 2 K, L) in cells of its level, and their weights.

        A known point is weighted by the centre-ness of the cell.
        """
        batch, own = assignment.batch, assignment.assigned
        xy = of_assigned(batch.xy.flatten(2), own).unflatten(-1, (-1, 2))
        place, scale = self.levels.locations(xy), self.levels.scale(xy)
        offset = ((xy - place[:, None]) / scale[:, None, None]).flatten(2).transpose(1, 2)
        known = of_assigned(batch.known.to(xy.dtype), own).repeat_interleave(2, -1).transpose(1, 2)
        weight = known * assignment.weights["box"]
        return offset * (weight > 0), weight

    def rows(self, maps: Maps) -> dict[str, Tensor]:
        """``class`` and ``centreness`` (B, 1, L), logits, and ``box`` (B, 4, L), pixels to the sides, where given."""
        rows = {name: self.levels.row(maps, name) for name in ("class", "centreness")}
        if f"box_{self.strides[0]}" in maps:
            raw = self.levels.row(maps, "box")
            # The limit keeps the exponential of an untrained network finite.
            cells = raw.relu() if self.distances == "relu" else raw.clamp_max(12.0).exp()
            rows["box"] = cells * self.levels.scale(raw)
        return rows

    def raw(self, target: Target, kind: str, boxes: bool = True) -> dict[str, Tensor]:
        """The inverse of `rows`: raw maps of all levels that give the target's ``class``, ``centreness`` and ``box``.

        Args:
            target: of a codec of that ``kind``.
            kind: the codec's.
            boxes: whether its cells predict boxes.
        """
        rows = {name: logits_of(target_map(target, name, kind)) for name in ("class", "centreness")}
        if boxes:
            sides = target_map(target, "box", kind)
            cells = sides / self.levels.scale(sides)
            rows["box"] = cells if self.distances == "relu" else log_of(cells)
        return {key: value for name, row in rows.items() for key, value in self.levels.maps(row, name).items()}

    def found(self, rows: Maps) -> Found:
        """The cells with the highest scores, sqrt(class * centre-ness); equal scores by index."""
        score = self._scores(rows)
        return self._at(score, top(score, self.max_instances)[1])

    def found_at(self, rows: Maps, cell: Tensor) -> Found:
        """The given cells (B, P), in their order, with their scores."""
        return self._at(self._scores(rows), cell)

    def _at(self, score: Tensor, cell: Tensor) -> Found:
        place, scale = self.levels.locations(score)[cell], self.levels.scale(score)[cell]
        return Found(cell, score.gather(1, cell), place, scale)

    def _scores(self, rows: Maps) -> Tensor:
        """(B, L) in [0, 1]; 0 where the maps are NaN."""
        return (sane(rows["class"]).sigmoid() * sane(rows["centreness"]).sigmoid()).sqrt()[:, 0]

    def boxes_of(self, rows: Maps, found: Found) -> Tensor:
        """(B, P, 4) image pixels."""
        sides = found.read(rows["box"].float())
        return torch.cat((found.place - sides[..., :2], found.place + sides[..., 2:]), -1)

    def points_of(self, rows: Maps, found: Found) -> Tensor:
        """(B, P, K, 2) image pixels, from offsets ``points`` in cells."""
        offset = found.read(rows["points"].float()).unflatten(-1, (-1, 2))
        place: Tensor = found.place[:, :, None] + offset * found.scale[..., None, None]
        return place

    def mirrored_level(self, maps: Maps, name: str, order: tuple[int, ...]) -> dict[str, Tensor]:
        """Mirror all levels of a map, with the channels in the given order."""
        keys = self.levels.named(name)
        return {key: mirrored(maps[key], order, grid) for key, grid in zip(keys, self.levels.grids, strict=True)}

    def mirrored_offsets(self, maps: Maps, name: str, order: tuple[int, ...]) -> dict[str, Tensor]:
        """Mirror all levels of offset maps: points in the given order, x negated."""
        keys = self.levels.named(name)
        return {key: mirrored_pairs(maps[key], order, grid) for key, grid in zip(keys, self.levels.grids, strict=True)}
