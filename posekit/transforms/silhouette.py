"""The outline of a figure, guessed from its points: thick bones, a filled torso, a round head.

For data without masks. Where the names tell no torso, the hull of all points takes its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]
Mask = NDArray[np.float32]

THICKNESS = 0.2
"""Half the width of a bone, in lengths of a long bone: a thigh in trousers."""

THIN = 0.7
"""How thick an arm is beside that, and all that is no bone of a body."""

HEAD = 0.27
"""Half the height of a head, in lengths of the torso."""

BEYOND = 0.35
"""How far a hand or a foot reaches beyond the last point, in lengths of the last bone."""

ENOUGH = 3
"""Labelled points of the torso, or of all where no torso is known, that an outline needs."""

_FACE = frozenset({"nose", "eye", "eyes", "ear", "ears", "face", "mouth", "chin"})
_TOP = frozenset({"top", "crown"})
_SHOULDER, _HIP = frozenset({"shoulder"}), frozenset({"hip"})
_LEG = frozenset({"hip", "knee", "ankle", "foot", "pelvis"})
_SHIFT = 4
_FAR = 20_000.0


@dataclass(frozen=True, slots=True)
class Head:
    """Where a head is.

    Args:
        centre: x, y in pixels.
        radius: pixels.
        labelled: whether its own points say so, rather than the shoulders and hips.
    """

    centre: tuple[float, float]
    radius: float
    labelled: bool


@cache
def _named(points: tuple[str, ...], words: frozenset[str]) -> NDArray[np.bool_]:
    """(K,) bool: the points one of whose words is wanted."""
    return np.array([not words.isdisjoint(re.split(r"[^a-z]+", name.lower())) for name in points])


def torso_points(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(K,) bool: shoulders and hips; all points where the names tell fewer than three."""
    torso = _named(skeleton.points, _SHOULDER | _HIP)
    return torso if torso.sum() >= ENOUGH else np.ones(len(torso), bool)


def head_points(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(K,) bool: what belongs to a head, by name."""
    return _named(skeleton.points, _FACE | _TOP)


def find_head(xy: Float, labelled: NDArray[np.bool_], skeleton: Skeleton) -> Head | None:
    """The head of a figure with shoulders and hips.

    Its labelled points lie in it; without any it is looked for beyond the shoulders, away from the hips.

    Args:
        xy: (K, 2) pixels.
        labelled: (K,) bool.
        skeleton: of the points.

    Returns:
        ``None`` where no shoulder or no hip is labelled.
    """
    shoulders = labelled & _named(skeleton.points, _SHOULDER)
    hips = labelled & _named(skeleton.points, _HIP)
    if not shoulders.any() or not hips.any():
        return None
    neck, seat = xy[shoulders].mean(0), xy[hips].mean(0)
    up = neck - seat
    # A torso seen from above looks short; the shoulders tell its length then.
    wide = float(np.ptp(xy[shoulders], axis=0).max()) if shoulders.sum() > 1 else 0.0
    length = max(float(np.hypot(*up)), 1.2 * wide, 1e-6)
    face, top = (labelled & _named(skeleton.points, words) for words in (_FACE, _TOP))
    if face.any():
        # The face is the front of a head that goes on above it.
        centre = xy[face].mean(0)
        centre = centre + 0.08 * length * _unit(centre - neck)
        reach = float(np.hypot(*(xy[face] - centre).T).max()) + 0.1 * length
        radius = max(HEAD * length, min(reach, 0.5 * length))
    elif top.any():
        centre = neck + 0.6 * (xy[top].mean(0) - neck)
        radius = max(HEAD * length, 0.45 * float(np.hypot(*(xy[top].mean(0) - neck))))
    else:
        centre, radius = neck + 0.42 * length * _unit(up), 1.1 * HEAD * length
    return Head((float(centre[0]), float(centre[1])), radius, bool(face.any() or top.any()))


def _unit(vector: Float) -> Float:
    return vector / max(float(np.hypot(*vector)), 1e-6)


def silhouette(xy: Float, labelled: NDArray[np.bool_], skeleton: Skeleton, size: tuple[int, int]) -> Mask | None:
    """How much of each pixel a figure covers, as far as its points tell.

    Args:
        xy: (K, 2) pixels of the picture; outside it as well.
        labelled: (K,) bool; other points are left out.
        skeleton: its bones become bones, its shoulders and hips a torso.
        size: (height, width) of the picture.

    Returns:
        (height, width) float32 in [0, 1], soft at the edge; ``None`` where too little is labelled to tell.
    """
    torso = torso_points(skeleton) & labelled
    if int(torso.sum()) < ENOUGH or np.abs(xy[labelled]).max() > _FAR:
        return None
    radius = _half_width(xy, labelled, skeleton)
    if radius <= 0:
        return None
    mask = np.zeros(size, np.uint8)
    thick = np.where(_named(skeleton.points, _LEG), radius, THIN * radius)
    for i, j in skeleton.edges:
        if labelled[i] and labelled[j]:
            _line(mask, xy[i], xy[j], min(thick[i], thick[j]))
    for end, before in _ends(skeleton):
        if labelled[end] and labelled[before]:
            # A hand or a foot goes on beyond the last point.
            _line(mask, xy[end], xy[end] + BEYOND * (xy[end] - xy[before]), thick[end])
    for at, width in zip(xy[labelled], thick[labelled], strict=True):
        _line(mask, at, at, width)
    hull = np.asarray(cv2.convexHull(xy[torso].astype(np.float32))[:, 0], np.float32)
    cv2.fillConvexPoly(mask, _fixed(hull), 255, cv2.LINE_8, _SHIFT)
    for a, b in zip(hull, np.roll(hull, 1, axis=0), strict=True):
        _line(mask, a, b, radius)
    head = find_head(xy, labelled, skeleton)
    if head is not None:
        centre = np.array(head.centre)
        _line(mask, centre, centre, head.radius)
        _line(mask, centre, xy[torso & _named(skeleton.points, _SHOULDER)].mean(0), 0.6 * head.radius)
    soft = cv2.GaussianBlur(mask, (0, 0), min(max(0.15 * radius, 0.6), 2.0))
    return np.multiply(soft, 1 / 255, dtype=np.float32)


def _half_width(xy: Float, labelled: NDArray[np.bool_], skeleton: Skeleton) -> float:
    """Of a bone, pixels: from the longer half of the bones, between bounds that the figure's extent sets."""
    extent = float(np.ptp(xy[labelled], axis=0).max())
    edges = np.array([(i, j) for i, j in skeleton.edges if labelled[i] and labelled[j]], int).reshape(-1, 2)
    if not len(edges):
        return 0.1 * extent
    bones = np.sort(np.hypot(*(xy[edges[:, 0]] - xy[edges[:, 1]]).T))
    return float(np.clip(THICKNESS * bones[len(bones) // 2 :].mean(), 0.03 * extent, 0.1 * extent))


@cache
def _ends_of(edges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    flat = [i for edge in edges for i in edge]
    turned = [(b, a) for a, b in edges]
    return tuple((a, b) for a, b in (*edges, *turned) if flat.count(a) == 1)


def _ends(skeleton: Skeleton) -> tuple[tuple[int, int], ...]:
    """Points at the end of one bone, with the point before."""
    return _ends_of(skeleton.edges)


def _fixed(xy: Float) -> NDArray[np.int32]:
    """Continuous pixels as OpenCV's fixed-point index coordinates."""
    return np.rint((np.asarray(xy, np.float64) - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _line(mask: NDArray[np.uint8], start: Float, end: Float, radius: float) -> None:
    a, b = _fixed(start).tolist(), _fixed(end).tolist()
    if a == b:
        cv2.circle(mask, a, round(radius * (1 << _SHIFT)), 255, -1, cv2.LINE_8, _SHIFT)
    else:
        cv2.line(mask, a, b, 255, max(1, round(2 * radius)), cv2.LINE_8, _SHIFT)
