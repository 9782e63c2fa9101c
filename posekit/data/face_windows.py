"""Training windows of a face cascade: random squares, classified by their overlap with faces, and their targets.

Boxes are x0 y0 x1 y1 in continuous image pixels. NumPy.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878, section III.D. Differs: a window mostly inside a region to ignore is
not a negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posekit.data.sample import Sample
from posekit.geometry.boxes import area, extent, iou
from posekit.geometry.keypoints import Keypoints
from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

UNUSED, NEGATIVE, PART, POSITIVE, POINTS = -1, 0, 1, 2, 3
"""Kinds of windows: unused, negative, part of a face, positive, positive for training points."""

FACE, SOME, NONE = 0.65, 0.4, 0.3
"""IoU with the nearest face: at least FACE is positive, at least SOME is a part, below NONE is negative."""

SHARES = {NEGATIVE: 3, PART: 1, POSITIVE: 1, POINTS: 2}
"""How windows are mixed."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The labels of one image.

    Args:
        boxes: (M, 4).
        xy: (M, K, 2) points.
        labelled: (M, K) which of them are known.
        ignore: (R, 4) regions to ignore, in which there may be faces.
    """

    boxes: Float
    xy: Float
    labelled: Bool
    ignore: Float

    @classmethod
    def of(cls, sample: Sample, smallest: float) -> Faces:
        """The faces of an image; those whose longer side is below ``smallest`` pixels are regions to ignore."""
        boxes = np.asarray(sample.instances.boxes, np.float64)
        large = extent(boxes).max(-1) >= smallest
        points = sample.instances.keypoints
        ignore = np.concatenate([np.asarray(sample.ignore, np.float64), boxes[~large]])
        return cls(boxes[large], np.asarray(points.xy, np.float64)[large], points.labelled[large], ignore)

    def mirrored(self, width: float, skeleton: Skeleton) -> Faces:
        """Of the image mirrored left to right."""
        points = Keypoints(self.xy, self.labelled.astype(np.int8)).flipped(width, skeleton)
        boxes, ignore = (
            np.stack([width - old[:, 2], old[:, 1], width - old[:, 0], old[:, 3]], 1)
            for old in (self.boxes, self.ignore)
        )
        return Faces(boxes, points.xy, points.labelled, ignore)


@dataclass(frozen=True, eq=False)
class FaceWindows:
    """Windows of one image, each with the face that it overlaps most.

    Args:
        boxes: (N, 4) of the windows, squares.
        kind: (N,) int8.
        face: (N, 4) box of the face; the window's own where there is no face.
        xy: (N, K, 2) points of the face.
        labelled: (N, K) which of them are known.
    """

    boxes: Float
    kind: NDArray[np.int8]
    face: Float
    xy: Float
    labelled: Bool

    def __getitem__(self, chosen: NDArray[np.generic]) -> FaceWindows:
        return FaceWindows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[FaceWindows]) -> FaceWindows:
        """All windows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def first(self, kind: int, most: int) -> FaceWindows:
        """At most so many windows of a kind, those given first."""
        return self[np.flatnonzero(self.kind == kind)[:most]]

    def for_points(self) -> FaceWindows:
        """Its windows of faces with a known point, for training the points."""
        chosen = self[(self.kind == POSITIVE) & self.labelled.any(1)]
        return FaceWindows(chosen.boxes, np.full_like(chosen.kind, POINTS), chosen.face, chosen.xy, chosen.labelled)


def near(boxes: Float, count: int, rng: np.random.Generator, shift: float = 0.2) -> Float:
    """Random squares around faces.

    Args:
        boxes: (M, 4) of the faces.
        count: squares for each face.
        rng: random generator.
        shift: largest shift of the centre along each axis, as a fraction of the side of the square.

    Returns:
        (M * count, 4); sides from 0.8 of the face's shorter side to 1.25 of its longer one.
    """
    around = np.repeat(boxes, count, axis=0)
    sides = extent(around)
    side = rng.uniform(0.8 * sides.min(-1), 1.25 * sides.max(-1))[:, None]
    middle = (around[:, :2] + around[:, 2:]) / 2 + rng.uniform(-shift, shift, (len(around), 2)) * side
    return np.concatenate([middle - side / 2, middle + side / 2], axis=1)


def anywhere(size: tuple[int, int], count: int, smallest: float, rng: np.random.Generator) -> Float:
    """Random squares inside an image.

    Args:
        size: (height, width).
        count: of squares.
        smallest: smallest side; sizes are log-uniform up to the shorter side of the image.
        rng: random generator.

    Returns:
        (count, 4); none where the image is too small.
    """
    largest = min(size)
    if largest < smallest:
        return np.zeros((0, 4))
    side = smallest * (largest / smallest) ** rng.random(count)
    corner = rng.random((count, 2)) * (np.array(size[::-1]) - side[:, None])
    return np.concatenate([corner, corner + side[:, None]], axis=1)


def whole(windows: Float, size: tuple[int, int]) -> Float:
    """Squares rounded to whole pixels, without those outside the image; (N', 4)."""
    side = np.maximum((windows[:, 2:] - windows[:, :2]).max(-1).round(), 1)[:, None]
    low = windows[:, :2].round()
    moved = np.concatenate([low, low + side], axis=1)
    return moved[(low >= 0).all(1) & (moved[:, 2:] <= size[::-1]).all(1)]


def sorted_out(windows: Float, faces: Faces) -> FaceWindows:
    """Assign a kind and a face to each window.

    Args:
        windows: (N, 4).
        faces: of the same image.

    Returns:
        N windows; `UNUSED` are those with an IoU between NONE and SOME, and negatives of which more than 0.3 lies in a
        region to ignore.
    """
    if not len(faces.boxes):
        points = np.zeros((len(windows), *faces.xy.shape[1:]))
        kind, face, xy, labelled = np.zeros(len(windows), int), windows, points, np.zeros(points.shape[:2], bool)
    else:
        overlap = iou(windows, faces.boxes)
        nearest, most = overlap.argmax(1), overlap.max(1)
        kind = np.select([most >= FACE, most >= SOME, most < NONE], [POSITIVE, PART, NEGATIVE], UNUSED)
        face, xy, labelled = faces.boxes[nearest], faces.xy[nearest], faces.labelled[nearest]
    unclear = (kind == NEGATIVE) & (covered(windows, faces.ignore) > NONE)
    return FaceWindows(windows, np.where(unclear, UNUSED, kind).astype(np.int8), face, xy, labelled)


def covered(windows: Float, regions: Float) -> Float:
    """The largest share of each window (N, 4) that is covered by one of the regions (R, 4); (N,)."""
    low = np.maximum(windows[:, None, :2], regions[None, :, :2])
    high = np.minimum(windows[:, None, 2:], regions[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(-1)
    return np.asarray((shared / np.maximum(area(windows), 1e-12)[:, None]).max(1, initial=0.0))


def named_by_first(windows: Float, cells: int) -> Float:
    """The boxes to which the offsets of the first network refer, for these windows.

    As in the published code, the box of a window of ``cells`` cells begins one pixel before the end of its first cell
    and ends at the end of the window.

    Args:
        windows: (N, 4).
        cells: of the network's window, along a side.
    """
    side = windows[:, 2:] - windows[:, :2]
    return np.concatenate([windows[:, :2] + side / cells - 1, windows[:, 2:]], axis=1)


def moves_to(face: Float, windows: Float, shorter: float = 0.0) -> Float:
    """Regression targets: the offsets that move windows onto their faces.

    Args:
        face: (N, 4).
        windows: (N, 4); for the first network see `named_by_first`.
        shorter: pixels that the cascade subtracts from width and height before it applies offsets; 1 after the first
            network.

    Returns:
        (N, 4) offsets of left, top, right and bottom, as fractions of width and height.
    """
    return (face - windows) / np.tile(windows[:, 2:] - windows[:, :2] - shorter, 2)


def shares_of(xy: Float, windows: Float) -> Float:
    """Points (N, K, 2) as fractions of their windows (N, 4)."""
    return (xy - windows[:, None, :2]) / (windows[:, 2:] - windows[:, :2])[:, None]
