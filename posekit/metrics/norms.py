"""Normalising lengths of errors: one for each instance, NaN where the labels do not give it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posekit.geometry import boxes as rectangles
from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

TWELVE = tuple(
    f"{side}_{p}" for p in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
"""The twelve points that the torso-normalised PCK (LSP) is measured on."""

EYE_CORNERS = {68: (36, 45), 98: (60, 72)}
"""Outer eye corners of 300W's and WFLW's points, by their count."""

AREA_OF_BOX = 0.53
"""Area of a person's segment as a fraction of the box, where no segment is known (xtcocotools, MMPose)."""

TORSO_FLOOR = 0.12
"""Lower limit of the torso's length as a fraction of the box's longer side: seen end-on it would be 0."""


def _positive(length: Float) -> Float:
    """Replace lengths that are not positive and finite by NaN."""
    return np.asarray(np.where(length > 0, length, np.nan))


def box_side(boxes: Float) -> Float:
    """(M,) longer side of (M, 4) boxes: the norm of plain PCK."""
    return _positive(rectangles.extent(boxes).max(-1))


def box_diagonal(boxes: Float) -> Float:
    """(M,) diagonal of (M, 4) boxes."""
    return _positive(np.hypot(*np.moveaxis(rectangles.extent(boxes), -1, 0)))


def box_root(boxes: Float) -> Float:
    """(M,) square root of the area of (M, 4) boxes: AFLW's norm."""
    return _positive(np.sqrt(rectangles.area(boxes)))


def head_box(heads: Float) -> Float:
    """(M,) MPII's head size: 0.6 of the diagonal of (M, 4) head boxes."""
    return np.asarray(0.6 * box_diagonal(heads))


def between(truth: Float, labelled: Bool, i: int, j: int) -> Float:
    """(M,) distance between two points; NaN where one is unlabelled or both coincide.

    Args:
        truth: (M, K, 2) pixels.
        labelled: (M, K) bool.
        i: index of a point.
        j: index of the other.
    """
    length = np.hypot(*np.moveaxis(truth[:, i] - truth[:, j], -1, 0))
    return np.asarray(np.where(labelled[:, i] & labelled[:, j], _positive(length), np.nan))


def interocular(truth: Float, labelled: Bool, i: int, j: int) -> Float:
    """(M,) distance between the two eye points: outer corners on 300W (36, 45), WFLW (60, 72) and COFW (8, 9).

    Args:
        truth: (M, K, 2) pixels.
        labelled: (M, K) bool.
        i: index of one eye point.
        j: index of the other.
    """
    return between(truth, labelled, i, j)


def eyes(skeleton: Skeleton) -> tuple[int, int] | None:
    """The two points that the interocular distance is measured between; ``None`` where the skeleton is no face.

    The 68 points of 300W and the 98 of WFLW are recognised by their count, if the names mention a face or an eye; a set
    of at most six points is a face when exactly two of its names contain "eye".
    """
    points = tuple(p.lower() for p in skeleton.points)
    found = [i for i, name in enumerate(points) if "eye" in name and "brow" not in name]
    if len(points) <= 6:
        return (found[0], found[1]) if len(found) == 2 else None
    name = skeleton.name.lower()
    face = bool(found) or "face" in name or "wflw" in name
    return EYE_CORNERS.get(len(points)) if face else None


def has_torso(skeleton: Skeleton) -> bool:
    """Whether the skeleton has the twelve limb points by name."""
    return set(TWELVE) <= set(skeleton.points)


def torso(truth: Float, labelled: Bool, skeleton: Skeleton, boxes: Float) -> Float:
    """(M,) length of the torso.

    The mean of the labelled ones of left_shoulder to right_hip and right_shoulder to left_hip, at least
    `TORSO_FLOOR` of the box's longer side; NaN where neither is labelled.

    Args:
        truth: (M, K, 2) pixels.
        labelled: (M, K) bool.
        skeleton: with both shoulders and both hips by name.
        boxes: (M, 4).

    Raises:
        ValueError: the skeleton has no such points.
    """
    ls, rs, lh, rh = skeleton.index(("left_shoulder", "right_shoulder", "left_hip", "right_hip"))
    # Coinciding points are a torso seen end-on, not a missing one: use the lower limit.
    known = np.stack([labelled[:, ls] & labelled[:, rh], labelled[:, rs] & labelled[:, lh]])
    lengths = np.stack([np.hypot(*(truth[:, a] - truth[:, b]).T) for a, b in ((ls, rh), (rs, lh))])
    mean = np.where(known, lengths, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    floor = TORSO_FLOOR * rectangles.extent(boxes).max(-1)
    return np.asarray(np.where(known.any(0), _positive(np.maximum(mean, floor)), np.nan))
