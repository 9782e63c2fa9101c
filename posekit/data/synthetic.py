"""Synthetic data: people of any skeleton, drawn on access; needs no files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.articulation import Articulation
from posekit.data.coco import AREA_OF_BOX, write_coco
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.painting import People, covering, hidden, paint
from posekit.geometry.boxes import area, around
from posekit.geometry.keypoints import INSTANCE
from posekit.geometry.skeleton import Skeleton

GLOBAL = 8
"""Random numbers that place a person; the others give its pose."""


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Synthetic people: image ``i`` and its labels depend only on (seed, i).

    Bodies and faces are known by the names of their points, other skeletons become a tree of their bones. Points
    under another part have visibility 1, points outside the image 0; both keep their place. Mirror points look alike,
    and left is where it is on a person seen from the front, so a flipped image is a valid sample.

    Args:
        skeleton: of the people.
        count: images.
        size: (height, width) of each.
        seed: random seed.
        people: largest number of people in an image; at least one, uniform.
        outside: share of people that are partly outside the image.
        behind: share of people seen from behind; they are drawn dark, and their left is on the left of the image.

    Raises:
        ValueError: no images are asked for, or they are smaller than 16 pixels.
    """

    skeleton: Skeleton
    count: int
    size: tuple[int, int] = (96, 96)
    seed: int = 0
    people: int = 1
    outside: float = 0.15
    behind: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1 or self.people < 1 or min(self.size) < 16:
            raise ValueError(
                f"synthetic sets need at least 1 image, 1 person and 16x16 pixels; "
                f"got {self.count}, {self.people} and {self.size[0]}x{self.size[1]}"
            )

    @cached_property
    def body(self) -> Articulation:
        """The articulation of the skeleton."""
        return Articulation.of(self.skeleton)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB picture ``index``."""
        posed, present = self._posed(self._chance(index)[None])
        return paint(posed[present], self.body, self.size, np.random.default_rng([self.seed, index, 1]))

    def mask(self, index: int) -> NDArray[np.bool_]:
        """(H, W) which pixels of picture ``index`` have their centre on a person."""
        height, width = self.size
        posed, present = self._posed(self._chance(index)[None])
        here = posed[present]
        centres = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2) + 0.5
        pixels = np.broadcast_to(centres, (len(here.xy), *centres.shape))
        bones, discs, torso = covering(pixels, here, self.body)
        covered = (bones.any(-1) | discs.any(-1) | torso).any(0).reshape(height, width).astype(np.uint8)
        # Points without bones, as in a face, lie on a plate.
        for plate in here.xy if not len(self.body.bones) else ():
            cv2.fillConvexPoly(covered, cv2.convexHull(np.rint(plate - 0.5).astype(np.int32)), (1,))
        return covered.astype(bool)

    def dataset(self) -> Dataset:
        """The labels, and images drawn on access."""
        draws = np.stack([self._chance(i) for i in range(self.count)])
        # In chunks that fit into the cache.
        parts = [self._labels(part) for part in np.array_split(draws, -(-self.count // 256))]
        xy, depth, visibility, boxes = (np.concatenate(column) for column in zip(*parts, strict=True))
        image = np.repeat(np.arange(self.count), self._number(draws))
        rows = len(xy)
        return Dataset(
            skeleton=self.skeleton,
            images=tuple(
                ImageRecord(
                    path=f"drawn_{self.seed}_{i:06d}.png",
                    width=self.size[1],
                    height=self.size[0],
                    id=i + 1,
                    load=partial(self.image, i),
                )
                for i in range(self.count)
            ),
            xy=xy,
            visibility=visibility,
            boxes=boxes,
            area=AREA_OF_BOX * area(boxes),
            category=np.zeros(rows, np.int64),
            role=np.full(rows, INSTANCE, np.int8),
            image=image,
            annotation_id=np.arange(1, rows + 1),
            inferred=(f"{self.count} synthetic images of {self.skeleton.name}, seed {self.seed}",),
            depth=depth.astype(np.float32),
            file=f"synthetic people of {self.skeleton.name}",
        )

    def to_files(self, folder: Path | str) -> Path:
        """Write ``images/*.png`` and ``labels.json`` (COCO).

        Returns:
            The path of the COCO file.
        """
        images = Path(folder) / "images"
        images.mkdir(parents=True, exist_ok=True)
        dataset = self.dataset()
        records = []
        for record in dataset.images:
            path = images / record.path
            written = cv2.imencode(".png", cv2.cvtColor(record.read(), cv2.COLOR_RGB2BGR))[1]
            path.write_bytes(written.tobytes())
            records.append(replace(record, path=str(path), load=None))
        return write_coco(replace(dataset, images=tuple(records)), Path(folder) / "labels.json")

    def _chance(self, index: int) -> NDArray[np.float64]:
        """(people, 8 + 3 K) random numbers in [0, 1) for the poses of image ``index``."""
        rng = np.random.default_rng([self.seed, index, 0])
        return rng.random((self.people, GLOBAL + 3 * len(self.skeleton.points)))

    def _number(self, draws: NDArray[np.float64]) -> NDArray[np.int64]:
        """(B,) people in each image."""
        return 1 + (draws[:, 0, 0] * self.people).astype(np.int64)

    def _posed(self, draws: NDArray[np.float64]) -> tuple[People, NDArray[np.bool_]]:
        """All people of B images, placed, and (B * people,) which of them are there."""
        present = (np.arange(self.people) < self._number(draws)[:, None]).ravel()
        flat = draws.reshape(-1, draws.shape[-1])
        xy, depth = self.body.pose(flat[:, GLOBAL:].reshape(len(flat), 3, -1))
        _, big, dx, dy, turn, thick, out, back = flat[:, :GLOBAL].T
        behind = back < self.behind
        xy[behind, :, 0] *= -1
        depth[behind] *= -1
        angle = np.deg2rad(25.0) * (2 * turn - 1)
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        xy = np.stack([c * xy[..., 0] - s * xy[..., 1], s * xy[..., 0] + c * xy[..., 1]], -1)
        low, high = xy.min(1), xy.max(1)
        height, width = self.size
        frame = np.array([width, height], np.float64)
        columns = np.sqrt(self.people)
        share = (0.55 + 0.35 * big) / columns
        scale = (share[:, None] * frame / np.maximum(high - low, 1e-6)).min(1)
        extent = (high - low) * scale[:, None]
        # The room that is left, and for some people a quarter of the person beyond it.
        room = (frame - extent) / 2 + np.where(out < self.outside, 0.3, -0.02)[:, None] * extent
        centre = frame / 2 + np.maximum(room, 0) * (2 * np.stack([dx, dy], -1) - 1)
        xy = (xy - (low + high)[:, None] / 2) * scale[:, None, None] + centre[:, None]
        size = extent.max(1)
        fine = min(1.0, (20 / len(self.skeleton.points)) ** 0.5)
        bone = np.maximum(size * fine * (0.045 + 0.03 * thick), 1.6)
        return People(xy, depth * scale[:, None], bone, behind), present

    def _labels(self, draws: NDArray[np.float64]) -> tuple[NDArray[np.generic], ...]:
        """Points, depths, visibilities and boxes of the people that are there."""
        posed, present = self._posed(draws)
        covered = hidden(posed, self.body) | self._under_others(posed, present)
        height, width = self.size
        xy = posed.xy
        inside: NDArray[np.bool_] = np.all((xy >= 0) & (xy <= (width, height)), -1)
        visibility = np.where(inside, np.where(covered, 1, 2), 0).astype(np.int8)
        boxes = around(xy, inside, margin=0.08)
        least = posed.bone[:, None] * (-1, -1, 1, 1)
        boxes = np.clip(boxes + least, 0, (width, height, width, height))
        return tuple(column[present] for column in (xy, posed.depth, visibility, boxes))

    def _under_others(self, posed: People, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(M, K) whether a person drawn later in the same image lies over a point."""
        n = self.people
        covered = np.zeros(posed.depth.shape, bool)
        for under in range(n):
            for over in range(under + 1, n):
                bones, discs, torso = covering(posed.xy[under::n], posed[over::n], self.body)
                covered[under::n] |= (bones.any(-1) | discs.any(-1) | torso) & present[over::n, None]
        return covered
