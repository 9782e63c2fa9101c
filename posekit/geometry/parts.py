"""Boxes of faces and hands from the points of a body, for models that read them in crops. NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

Boxes = NDArray[np.float64]

CLEAR = 0.2
"""Score from which on a point of the body is used."""
HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
FACE_SIDE = 2.24
"""Side of the square around a face's 68 points, in lengths of the head: median over 120 faces of HELEN."""
FACE_DOWN = 0.34
"""How far below the middle of the head's points the middle of that square is, in lengths of the head."""
HAND_BEYOND = 0.35
"""How far beyond the wrist the middle of a hand is, in lengths of the forearm."""
HAND_SIDE = 0.8
"""Side of the square around a hand, in lengths of the forearm."""


def face_boxes(poses: Poses, skeleton: Skeleton) -> Boxes:
    """A square around the face of each body, from eyes, ears and nose.

    The length of a head is the largest of the distance between the eyes times 1.0, between the ears times 0.45, and
    between an eye and the ear on its side times 0.8: what is shortened in a profile is replaced by what is not.

    Args:
        poses: (N, K) of bodies.
        skeleton: names the points; it has those of `HEAD`.

    Returns:
        (N, 4) x0 y0 x1 y1 in image pixels; zeros where nose or both eyes were not found.
    """
    xy, clear = _named(poses, skeleton, HEAD)
    nose, left_eye, right_eye, left_ear, right_ear = np.moveaxis(xy, 1, 0)
    seen = np.moveaxis(clear, 1, 0)
    pairs = ((left_eye, right_eye, 1, 2, 1.0), (left_ear, right_ear, 3, 4, 0.45))
    sides = ((left_eye, left_ear, 1, 3, 0.8), (right_eye, right_ear, 2, 4, 0.8))
    lengths = [
        np.where(seen[i] & seen[j], factor * np.linalg.norm(a - b, axis=-1), 0.0)
        for a, b, i, j, factor in (*pairs, *sides)
    ]
    length = np.max(lengths, axis=0)
    eyes = _mean(np.stack((left_eye, right_eye), 1), clear[:, 1:3])
    found = seen[0] & clear[:, 1:3].any(-1) & (length > 0)
    # From the eyes to the nose is down, whichever way the head is turned.
    down = nose - eyes
    size = np.linalg.norm(down, axis=-1, keepdims=True)
    down = np.divide(down, size, out=np.tile([0.0, 1.0], (len(nose), 1)), where=size > 1e-6)
    centre = (eyes + nose) / 2 + FACE_DOWN * length[:, None] * down
    return _squares(centre, FACE_SIDE * length, found)


def hand_boxes(poses: Poses, skeleton: Skeleton) -> Boxes:
    """A square around each hand of each body, from elbow and wrist.

    Args:
        poses: (N, K) of bodies.
        skeleton: names the points; it has elbows and wrists.

    Returns:
        (2 N, 4) x0 y0 x1 y1 in image pixels, left and right hand of each body; zeros where an arm was not found.
    """
    xy, clear = _named(poses, skeleton, ("left_elbow", "right_elbow", "left_wrist", "right_wrist"))
    elbow, wrist = xy[:, :2], xy[:, 2:]
    forearm = wrist - elbow
    length = np.linalg.norm(forearm, axis=-1)
    found = clear[:, :2] & clear[:, 2:] & (length > 0)
    centre = wrist + HAND_BEYOND * forearm
    return _squares(centre.reshape(-1, 2), HAND_SIDE * length.ravel(), found.ravel())


def part_boxes(body: Skeleton, part: Skeleton) -> Callable[[Poses, Skeleton], Boxes] | None:
    """How the boxes of a part follow from a body; ``None`` if ``part`` is no part of ``body``.

    Args:
        body: skeleton of the model that finds bodies.
        part: skeleton of the model of crops: 68 points of a face, or 21 of a hand.
    """
    if part.name.startswith("face") and set(HEAD) <= set(body.points):
        return face_boxes
    if part.name.startswith("hand") and {"left_elbow", "left_wrist", "right_elbow", "right_wrist"} <= set(body.points):
        return hand_boxes
    return None


def _named(poses: Poses, skeleton: Skeleton, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Positions (N, n, 2) of some points and whether they were found (N, n); 0 where a position is not finite."""
    columns = [skeleton.points.index(name) for name in names]
    xy = np.asarray(poses.xy, np.float64)[:, columns]
    clear = (np.asarray(poses.score)[:, columns] >= CLEAR) & np.isfinite(xy).all(-1)
    return np.where(clear[..., None], xy, 0.0), clear


def _mean(xy: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, 2) mean of the known of points (N, n, 2); 0 where none is."""
    mean: NDArray[np.float64] = xy.sum(1) / np.maximum(known.sum(1), 1)[:, None]
    return mean


def _squares(centre: NDArray[np.float64], side: NDArray[np.float64], found: NDArray[np.bool_]) -> Boxes:
    half = side[:, None] / 2
    return np.where(found[:, None], np.concatenate((centre - half, centre + half), -1), 0.0)
