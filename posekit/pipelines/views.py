"""How a large image is shown to a network of fixed size: fitted, larger or smaller, and in tiles that overlap."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.affine import invert, transform
from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses
from posekit.transforms.scene import letterbox_matrix

Matrix = NDArray[np.float64]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Views:
    """Parts of an image that the network sees one by one; the defaults show all of it once.

    Raises:
        ValidationError: a value is out of bounds.
    """

    zooms: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(1.0,), min_length=1)
    "times the size at which the image fits; above 1 it is cut into tiles"
    tiles: bool = False
    "tiles in which the image keeps its own pixels, beside the zooms; for small instances in large images"
    overlap: float = Field(default=0.25, ge=0, lt=0.9)
    "share of a tile that its neighbour shows too; an instance larger than that may be cut by all of them"

    def matrices(self, shape: tuple[int, int], size: tuple[int, int]) -> list[Matrix]:
        """From the image to each view.

        Args:
            shape: (height, width) of the image.
            size: (height, width) of a view.

        Returns:
            (3, 3) each, one or more a zoom.
        """
        fit = letterbox_matrix(shape, size)
        own = 1 / fit[0, 0]
        zooms = [*self.zooms, *([own] if self.tiles and own > 1 and own not in self.zooms else [])]
        return [matrix for zoom in zooms for matrix in self._tiled(shape, size, float(fit[0, 0]) * zoom)]

    def _tiled(self, shape: tuple[int, int], size: tuple[int, int], scale: float) -> list[Matrix]:
        """Views in which a pixel of the image is ``scale`` pixels wide."""
        (starts_y, starts_x) = (self._starts(side * scale, view) for side, view in zip(shape, size, strict=True))
        return [np.array([[scale, 0.0, -x], [0.0, scale, -y], [0.0, 0.0, 1.0]]) for y in starts_y for x in starts_x]

    def _starts(self, length: float, view: int) -> list[float]:
        """Where tiles begin along one axis; one in the middle where all fits."""
        if length <= view * (1 + 1e-9):
            return [(length - view) / 2]
        count = int(np.ceil((length - view) / (view * (1 - self.overlap)) - 1e-9)) + 1
        return np.linspace(0.0, length - view, count).tolist()

    def own(self, poses: Poses, made: list[Matrix], number: int, size: tuple[int, int]) -> Poses:
        """The poses of a tile whose middle lies nearer to its own middle than to that of a tile of the same zoom.

        What a border cuts is left to the tile that shows it whole.

        Args:
            poses: (N, K) in pixels of view ``number``.
            made: all views of the image.
            number: which one.
            size: (height, width) of a view.
        """
        mine = made[number]
        rivals = [matrix for matrix in made if matrix[0, 0] == mine[0, 0]]
        if len(rivals) == 1 or not len(poses):
            return poses
        boxes = around(poses.xy, np.isfinite(poses.xy).all(-1)) if poses.boxes is None else poses.boxes
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        centre = np.array([size[1], size[0]]) / 2
        image = transform(middle.astype(np.float64), invert(mine))
        far = np.stack([np.linalg.norm(transform(image, matrix) - centre, axis=-1) for matrix in rivals])
        keep = np.linalg.norm(middle - centre, axis=-1) <= far.min(0) + 1e-6
        return poses.each(lambda a: a[keep])
