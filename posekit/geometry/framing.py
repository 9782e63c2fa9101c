"""The inputs of a network as matrices: a crop of each box, or the full image in one or more views.

Everything is in continuous pixels; nothing here touches the pixels themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.geometry.affine import crop_matrix, invert, transform
from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses

Float = NDArray[np.floating]
Matrix = NDArray[np.floating[Any]]
Size = tuple[int, int]
"""(height, width) in pixels."""

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Crop:
    """One crop for each box, and one instance in each crop."""

    padding: float = Field(default=1.25, gt=0)
    "size of the crop relative to the box, for context around it; 1: no context"
    kind: Suppress[Literal["crop"]] = "crop"

    needs_boxes: ClassVar[bool] = True
    metric: ClassVar[str | None] = None
    """Models are ranked by the protocol of their skeleton."""
    samples: ClassVar[str] = "instances"
    """What a training sample consists of."""

    def frames(self, shape: Size, boxes: Float | None, size: Size) -> list[Matrix]:
        """Matrices from the image to the crop of each box.

        Args:
            shape: (height, width) of the image.
            boxes: (N, 4) x0 y0 x1 y1; ``None``: the image is one box.
            size: (height, width) of a crop.

        Returns:
            (3, 3) each.

        Raises:
            ValueError: a box has no extent, or is not finite.
        """
        if boxes is None:
            boxes = np.array([[0.0, 0.0, shape[1], shape[0]]])
        return [crop_matrix(box, size, padding=self.padding) for box in boxes]


@dataclass(frozen=True, config=STRICT)
class Letterbox:
    """The full image, fitted into the view, at other scales, or in overlapping tiles.

    Raises:
        ValidationError: a value is out of bounds.
    """

    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(1.0,), min_length=1)
    "scales of the image relative to the one at which it fits the view; above 1 it is cut into tiles"
    tiles: bool = False
    "also use tiles at the image's original resolution; for small instances in large images"
    overlap: float = Field(default=0.25, ge=0, lt=0.9)
    "overlap of neighbouring tiles as a fraction of a tile; an instance larger than this may be cut in every tile"
    kind: Suppress[Literal["letterbox"]] = "letterbox"

    needs_boxes: ClassVar[bool] = False
    metric: ClassVar[str | None] = "AP"
    """Models are ranked by COCO's average precision."""
    samples: ClassVar[str] = "images"
    """What a training sample consists of."""

    def frames(self, shape: Size, boxes: Float | None, size: Size) -> list[Matrix]:
        """Matrices from the image to each view.

        Args:
            shape: (height, width) of the image.
            boxes: must be ``None``.
            size: (height, width) of a view.

        Returns:
            (3, 3) each, one or more for each scale.

        Raises:
            ValueError: there are boxes.
        """
        if boxes is not None:
            raise ValueError("this model finds instances itself: leave out the boxes")
        fit = float(letterbox_matrix(shape, size)[0, 0])
        own = 1 / fit
        scales = [*self.scales, *([own] if self.tiles and own > 1 and own not in self.scales else [])]
        return [matrix for scale in scales for matrix in self._tiled(shape, size, fit * scale)]

    def _tiled(self, shape: Size, size: Size, scale: float) -> list[Matrix]:
        """Views at ``scale`` view pixels per image pixel."""
        (starts_y, starts_x) = (self._starts(side * scale, view) for side, view in zip(shape, size, strict=True))
        return [np.array([[scale, 0.0, -x], [0.0, scale, -y], [0.0, 0.0, 1.0]]) for y in starts_y for x in starts_x]

    def _starts(self, length: float, view: int) -> list[float]:
        """Starts of the tiles along one axis; one centred tile where everything fits."""
        if length <= view * (1 + 1e-9):
            return [(length - view) / 2]
        count = int(np.ceil((length - view) / (view * (1 - self.overlap)) - 1e-9)) + 1
        starts: list[float] = np.linspace(0.0, length - view, count).tolist()
        return starts


def own_poses(poses: Poses, frames: Sequence[Matrix], number: int, size: Size) -> Poses:
    """Keep the poses of a tile whose centre is nearer to this tile's centre than to any other tile of the same scale.

    An instance cut by a border is thereby left to the tile that shows all of it.

    Args:
        poses: (N, K) in pixels of view ``number``.
        frames: all views of the image.
        number: index of the view.
        size: (height, width) of a view.
    """
    mine = frames[number]
    same_scale = [matrix for matrix in frames if matrix[0, 0] == mine[0, 0]]
    if len(same_scale) == 1 or not len(poses):
        return poses
    boxes = around(poses.xy, np.isfinite(poses.xy).all(-1)) if poses.boxes is None else poses.boxes
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    view_centre = np.array([size[1], size[0]]) / 2
    in_image = transform(centre.astype(np.float64), invert(mine))
    distance = np.stack([np.linalg.norm(transform(in_image, m) - view_centre, axis=-1) for m in same_scale])
    return poses[np.linalg.norm(centre - view_centre, axis=-1) <= distance.min(0) + 1e-6]


def letterbox_matrix(shape: Size, size: Size) -> Matrix:
    """Fit an image into a view: nothing cut or stretched, the image centred.

    Args:
        shape: (height, width) of the image.
        size: (height, width) of the view.

    Returns:
        (3, 3) float64, image pixels to view pixels.

    Raises:
        ValueError: the image has no extent.

    >>> letterbox_matrix((100, 200), (64, 64)).tolist()
    [[0.32, -0.0, 0.0], [0.0, 0.32, 16.0], [0.0, 0.0, 1.0]]
    """
    return crop_matrix(np.array([0.0, 0.0, shape[1], shape[0]]), size, padding=1.0)


AnyFraming = Annotated[Crop | Letterbox, Field(discriminator="kind")]
