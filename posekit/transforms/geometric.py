"""The crop of one instance, still or drawn at random: one matrix, one resampling of the image, the points with it.

Every frame is the continuous one: points, boxes and ``to_source`` go through the very matrix that moves the pixels.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.affine import crop_matrix, index_matrix, transform
from posekit.geometry.keypoints import Instances, Keypoints
from posekit.geometry.skeleton import Skeleton
from posekit.transforms.half_body import GROWTH, half_body_box

if TYPE_CHECKING:
    from posekit.data.sample import Sample

Float = NDArray[np.floating]
STRICT = ConfigDict(extra="forbid")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where an instance lands in its crop: what `Geometry` draws and `place` carries out.

    Args:
        box: (4,) x0 y0 x1 y1, image pixels, before padding.
        padding: context around the box; 1 is none.
        scale: of the instance in the crop; 2 shows it twice as large.
        rotation: degrees, clockwise on the screen.
        shift: (x, y) of the instance, in fractions of the crop.
        flip: mirrored left to right, last.
    """

    box: Float
    padding: float = 1.25
    scale: float = 1.0
    rotation: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False


@dataclass(frozen=True, config=STRICT)
class Geometry:
    """Random scale, rotation, shift and flip of training crops.

    Source: the ranges of HRNet and RLE, uniform instead of normal so that a bound is a bound (RLE's habit).
    """

    scale: float = Field(default=0.25, ge=0, lt=1)
    "random scale: the instance becomes larger or smaller by up to this fraction"
    mean_scale: float = Field(default=1.0, gt=0)
    "mean of the random scale; other than 1 where training boxes are tighter or looser than the boxes in use"
    rotation: float = Field(default=30.0, ge=0, le=180)
    "random rotation by up to this many degrees either way"
    rotate_probability: float = Field(default=0.6, ge=0, le=1)
    "share of crops that are rotated, 0 to 1"
    shift: float = Field(default=0.1, ge=0, le=1)
    "random shift along each axis, by up to this fraction of the crop"
    flip: float = Field(default=0.5, ge=0, le=1)
    "share of crops that are mirrored, 0 to 1; off for a skeleton without mirror symmetry"
    half_body: float = Field(default=0.0, ge=0, le=1)
    "share of crops that show only the upper or the lower half of the body; needs more than half of the points labelled"

    def draw(
        self, sample: Sample, rng: np.random.Generator, skeleton: Skeleton, size: tuple[int, int], padding: float
    ) -> Placement:
        """Draw where instance 0 lands.

        Args:
            sample: with at least one instance.
            rng: the only source of randomness; the number of draws does not depend on the sample.
            skeleton: tells whether flips are allowed, and the upper from the lower half.
            size: (height, width) of the crop.
            padding: context around the box, except around half a body, which brings its own.
        """
        scale, turn, dx, dy = rng.uniform(-1.0, 1.0, 4)
        turned, flipped, halved, upper = rng.random(4)
        box, mean = sample.instances.boxes[0], self.mean_scale
        if halved < self.half_body:
            half = half_body_box(sample.instances.keypoints, skeleton, size, upper=bool(upper < UPPER))
            if half is not None:
                box, padding, mean = half, GROWTH, 1.0
        return Placement(
            box=box,
            padding=padding,
            scale=float(mean * (1.0 + self.scale * scale)),
            rotation=float(self.rotation * turn) if turned < self.rotate_probability else 0.0,
            shift=(float(self.shift * dx), float(self.shift * dy)),
            flip=bool(flipped < self.flip) and skeleton.flippable,
        )


UPPER = 0.7
"""How often the upper half is tried first: what the references' slip, a normal draw below 0.5, comes to (0.69)."""

STILL = Geometry(scale=0, rotation=0, rotate_probability=0, shift=0, flip=0, half_body=0)
"""nothing random: the crop of evaluation."""


@dataclass(frozen=True, config=STRICT)
class Crop:
    """Cut instance 0 out of its image; without ``geometry`` always the same way, as evaluation wants it."""

    size: tuple[int, int]
    "height and width of the crop, pixels"
    padding: float = Field(default=1.25, gt=0)
    "context around the box; 1 is none"
    geometry: Geometry = STILL
    "what is left to randomness"

    def __call__(self, sample: Sample, rng: np.random.Generator, skeleton: Skeleton) -> Sample:
        """The crop, with points, boxes and ``to_source`` in its frame.

        Raises:
            ValueError: there is no instance, or its box has no extent.
        """
        return random_crop(sample, rng, skeleton, self.geometry, self.size, self.padding)


def random_crop(
    sample: Sample,
    rng: np.random.Generator,
    skeleton: Skeleton,
    geometry: Geometry,
    size: tuple[int, int],
    padding: float = 1.25,
) -> Sample:
    """A crop of instance 0 where ``geometry`` lets it land; `Crop` as a plain function.

    Raises:
        ValueError: there is no instance, or its box has no extent.
    """
    _require_instance(sample)
    return place(sample, geometry.draw(sample, rng, skeleton, size, padding), size, skeleton)


def still_crop(sample: Sample, size: tuple[int, int], padding: float = 1.25) -> Sample:
    """The plain crop of instance 0: its padded box, upright and centred.

    Args:
        sample: with at least one instance.
        size: (height, width) of the crop.
        padding: context around the box; 1 is none.

    Raises:
        ValueError: there is no instance, or its box has no extent.
    """
    _require_instance(sample)
    return place(sample, Placement(sample.instances.boxes[0], padding), size)


def place(sample: Sample, placement: Placement, size: tuple[int, int], skeleton: Skeleton | None = None) -> Sample:
    """Carry out a placement: one warp of the image, the same matrix for everything else.

    Points outside the crop keep their place and visibility; a box becomes the box around its four moved corners;
    an area grows with the square of the scale. What lies outside the image is black.

    Args:
        sample: its frame is the file's or any other, ``to_source`` says which.
        placement: of the instance in the crop.
        size: (height, width) of the crop.
        skeleton: needed for a flip only.

    Raises:
        ValueError: the box has no extent; a flip without a skeleton that knows its mirror pairs.
    """
    try:
        matrix = crop_matrix(
            placement.box,
            size,
            padding=placement.padding,
            scale=placement.scale,
            rotation=placement.rotation,
            shift=placement.shift,
        )
    except ValueError as error:
        raise ValueError(f"{sample.path}: {error}") from None
    old = sample.instances
    points = dataclasses.replace(old.keypoints, xy=transform(old.keypoints.xy, matrix))
    if placement.flip:
        if skeleton is None:
            raise ValueError("a flipped crop needs the skeleton, which says what points trade places; got None")
        points = points.flipped(size[1], skeleton)
        matrix = np.array([[-1.0, 0.0, size[1]], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
    return dataclasses.replace(
        sample,
        image=warp(sample.image, matrix, size),
        instances=_moved(old, points, matrix),
        to_source=sample.to_source @ _back(matrix),
        ignore=move_boxes(sample.ignore, matrix),
    )


def _moved(old: Instances, points: Keypoints, matrix: Float) -> Instances:
    (a, b), (c, d) = matrix[:2, :2].tolist()
    return dataclasses.replace(
        old,
        keypoints=points,
        boxes=move_boxes(old.boxes, matrix),
        area=old.area * abs(a * d - b * c),
    )


def _back(matrix: Float) -> Float:
    """The inverse, written out: a crop never squashes the plane, and a general solver costs six times as much."""
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    area = a * d - b * c
    rows = [[d, -b, b * y - d * x], [-c, a, c * x - a * y], [0.0, 0.0, area]]
    inverse: Float = np.array(rows) / area
    return inverse


def move_boxes(boxes: Float, matrix: Float) -> Float:
    """(M, 4) the upright boxes around the moved corners of upright boxes.

    No corner is made: a positive factor takes the low side of the old box to the low side of the new one, a negative
    factor takes the high side there.
    """
    if not len(boxes):
        return boxes
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    same = max(a, 0.0), max(b, 0.0), max(c, 0.0), max(d, 0.0)
    swap = min(a, 0.0), min(b, 0.0), min(c, 0.0), min(d, 0.0)
    sides = np.array([same[:2] + swap[:2], same[2:] + swap[2:], swap[:2] + same[:2], swap[2:] + same[2:]])
    result: Float = (boxes @ sides.T + np.array((x, y, x, y))).astype(boxes.dtype, copy=False)
    return result


def warp(image: NDArray[np.uint8], matrix: Float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The crop that a matrix means: the one resampling that training, measuring and predicting share.

    Args:
        image: (H, W, 3).
        matrix: (3, 3), continuous pixels of the image to those of the crop.
        size: (height, width) of the crop.

    Returns:
        (height, width, 3), bilinear, black outside the image.
    """
    height, width = size
    warped = cv2.warpAffine(
        image, index_matrix(matrix)[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(warped, dtype=np.uint8)


def _require_instance(sample: Sample) -> None:
    if not len(sample.instances.boxes):
        raise ValueError(f"{sample.path}: a top-down crop needs an instance with a box; the sample has none")
