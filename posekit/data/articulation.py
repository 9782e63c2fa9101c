"""Poses for synthetic people: a skeleton becomes a tree of rotating bones, and random numbers give the poses.

Left points are on the right side of the image for a person seen from the front. Mirror points look alike, so a mirrored
image with exchanged points is a valid sample.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.data.face_layout import face_place
from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]

# Where parts are at rest, seen from the front: x of a left part (image right), y from crown (-1) to sole (1); how far
# they turn about what they hang on, in degrees; and what that is. The first word found in a name counts.
_BODY: tuple[tuple[str, float, float, float, str], ...] = (
    ("head_top", 0, -1.0, 15, "neck"),
    ("top_head", 0, -1.0, 15, "neck"),
    ("neck", 0, -0.68, 0, ""),
    ("thorax", 0, -0.6, 0, ""),
    ("spine", 0, -0.3, 0, ""),
    ("pelvis", 0, 0.02, 0, ""),
    ("nose", 0, -0.85, 15, "neck"),
    ("eye", 0.06, -0.9, 4, "nose"),
    ("ear", 0.12, -0.87, 4, "nose"),
    ("head", 0, -0.9, 15, "neck"),
    ("shoulder", 0.2, -0.6, 4, ""),
    ("elbow", 0.34, -0.32, 75, "shoulder"),
    ("wrist", 0.42, -0.04, 80, "elbow"),
    ("hand", 0.42, 0.03, 80, "elbow"),
    ("hip", 0.12, 0.05, 4, ""),
    ("knee", 0.16, 0.47, 40, "hip"),
    ("ankle", 0.18, 0.9, 40, "knee"),
    ("heel", 0.15, 0.95, 15, "ankle"),
    ("toe", 0.26, 0.97, 15, "ankle"),
    ("foot", 0.24, 0.95, 15, "ankle"),
)
_FACE: tuple[tuple[str, float, float, float, str], ...] = (
    ("brow", 0.45, -0.6, 4, ""),
    ("eye", 0.42, -0.38, 4, ""),
    ("ear", 0.9, -0.2, 4, ""),
    ("nose", 0, 0.1, 4, ""),
    ("mouth", 0.3, 0.55, 6, ""),
    ("chin", 0, 1.0, 4, ""),
)
FREE, RIGID = 40.0, 8.0
"""Largest rotation, in degrees, of a bone of an unknown skeleton, and of a point without a parent about the centre."""


@dataclass(frozen=True, slots=True, eq=False)
class Articulation:
    """A skeleton at rest and the range of its rotations.

    Args:
        parent: (K,) parent of each point; K is the centre of the person.
        rest: (K, 2) offset from the parent at rest, person units, left parts to the right of the image.
        bend: (K,) largest rotation of each point about its parent, degrees either way.
        order: (K,) points, parents first.
        bones: (E, 2) point pairs to draw.
        group: (K,) colour group of each point; mirror points share one.
        torso: four points around the torso, or none.
    """

    parent: NDArray[np.int64]
    rest: Float
    bend: Float
    order: tuple[int, ...]
    bones: NDArray[np.int64]
    group: NDArray[np.int64]
    torso: tuple[int, ...]

    @classmethod
    def of(cls, skeleton: Skeleton) -> Articulation:
        """A body or a face if the names are known, else a tree laid out around its centre."""
        known = (
            _named(skeleton, _BODY, ("shoulder", "hip")) or _named(skeleton, _FACE, ("eye", "nose")) or _face(skeleton)
        )
        parent, place, bend = known or _laid_out(skeleton)
        k = len(skeleton.points)
        rest = place - np.concatenate([place, [[0.0, 0.0]]])[parent]
        flip = np.array(skeleton.flip)
        edges = {tuple(sorted(e)) for pair in skeleton.edges for e in (pair, flip[list(pair)].tolist())}
        edges = edges or {tuple(sorted((i, int(p)))) for i, p in enumerate(parent) if p < k}
        return cls(
            parent=parent,
            rest=rest,
            bend=bend,
            order=_parents_first(parent),
            bones=np.array(sorted(edges), np.int64).reshape(-1, 2),
            group=np.unique(np.minimum(np.arange(k), flip), return_inverse=True)[1],
            torso=_torso(skeleton),
        )

    def pose(self, draws: Float) -> tuple[Float, Float]:
        """Bend M people.

        Args:
            draws: (M, 3, K) in [0, 1): random numbers for rotation, tilt out of the image plane and length of each
                bone.

        Returns:
            (M, K, 2) locations and (M, K) depths, away from the camera, both in person units about the centre.
        """
        turn = np.deg2rad(self.bend) * (2 * draws[:, 0] - 1)
        tilt = np.deg2rad(np.minimum(self.bend, 50.0)) * (2 * draws[:, 1] - 1)
        length = 0.85 + 0.3 * draws[:, 2]
        m, k = turn.shape
        xy, depth, angle = np.zeros((m, k + 1, 2)), np.zeros((m, k + 1)), np.zeros((m, k + 1))
        size = np.linalg.norm(self.rest, axis=1)
        for point in self.order:
            up = self.parent[point]
            angle[:, point] = angle[:, up] + turn[:, point]
            c, s = np.cos(angle[:, point]), np.sin(angle[:, point])
            x, y = self.rest[point]
            reach = length[:, point] * np.cos(tilt[:, point])
            xy[:, point, 0] = xy[:, up, 0] + reach * (c * x - s * y)
            xy[:, point, 1] = xy[:, up, 1] + reach * (s * x + c * y)
            depth[:, point] = depth[:, up] + length[:, point] * np.sin(tilt[:, point]) * size[point]
        return xy[:, :k], depth[:, :k]


def _parents_first(parent: NDArray[np.int64]) -> tuple[int, ...]:
    done = {len(parent)}
    order: list[int] = []
    while len(order) < len(parent):
        ready = [i for i in range(len(parent)) if i not in done and int(parent[i]) in done]
        order += ready
        done |= set(ready)
    return tuple(order)


def _torso(skeleton: Skeleton) -> tuple[int, ...]:
    corners = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
    return skeleton.index(corners) if set(corners) <= set(skeleton.points) else ()


Layout = tuple[NDArray[np.int64], Float, Float]


def _named(
    skeleton: Skeleton, table: tuple[tuple[str, float, float, float, str], ...], wanted: tuple[str, ...]
) -> Layout | None:
    """Parents, locations and bends by name; ``None`` where a name is not in the table or a wanted word in no name."""
    names = [name.lower() for name in skeleton.points]
    rows = [next((row for row in table if row[0] in name), None) for name in names]
    if None in rows or not all(any(word in name for name in names) for word in wanted):
        return None
    found = [row for row in rows if row is not None]
    if len({(row[0], _side(skeleton, i)) for i, row in enumerate(found)}) < len(found):
        return None
    side = [_side(skeleton, i) for i in range(len(found))]
    place = np.array([[row[1] * s, row[2]] for row, s in zip(found, side, strict=True)], np.float64)
    parent = [_hangs_on(row[4], s, found, side) for row, s in zip(found, side, strict=True)]
    return np.array(parent), place, np.array([row[3] for row in found], np.float64)


def _face(skeleton: Skeleton) -> Layout | None:
    """A densely labelled face, all of one piece; ``None`` where a name is not known."""
    numbers = [int(name.rsplit("_", 1)[1]) for name in skeleton.points if re.fullmatch(r"(left|right)_jaw_\d+", name)]
    found = [face_place(name, max(numbers, default=1)) for name in skeleton.points]
    if None in found:
        return None
    sides = [_side(skeleton, i) for i in range(len(found))]
    place = np.array([(p[0] * s, p[1]) for p, s in zip(found, sides, strict=True) if p is not None])
    return np.full(len(found), len(found)), place, np.full(len(found), 2.5)


def _side(skeleton: Skeleton, point: int) -> int:
    """1 of a left point, -1 of a right one, 0 of one in the middle."""
    name = skeleton.points[point]
    return next((1 if name == left else -1 for left, right in skeleton.mirror if name in (left, right)), 0)


def _hangs_on(word: str, side: int, rows: list[tuple[str, float, float, float, str]], sides: list[int]) -> int:
    """The point called ``word`` on the same side or in the middle; the middle of the person where there is none."""
    if word:
        for i, (row, s) in enumerate(zip(rows, sides, strict=True)):
            if row[0] == word and s in (side, 0):
                return i
    return len(rows)


def _laid_out(skeleton: Skeleton) -> Layout:
    """A tree from the bones, laid out in circles around the middle of the person, mirror points opposite each other."""
    k = len(skeleton.points)
    parent = _tree(skeleton)
    children: list[list[int]] = [[] for _ in range(k + 1)]
    for i in range(k):
        children[parent[i]].append(i)
    leaves = np.zeros(k + 1)
    for i in (*reversed(_parents_first(np.array(parent))), k):
        leaves[i] = max(1, sum(leaves[c] for c in children[i]))
    place, angle = np.zeros((k + 1, 2)), np.zeros((k + 1, 2))
    angle[k] = (-np.pi, np.pi)
    for i in (k, *_parents_first(np.array(parent))):
        at, span = angle[i, 0], angle[i, 1] - angle[i, 0]
        left = [c for c in children[i] if _side(skeleton, c) > 0]
        right = [skeleton.flip[c] for c in reversed(left) if skeleton.flip[c] in children[i]]
        middle = [c for c in children[i] if c not in left and c not in right]
        # From the right of the person over its lower end to its left: angles are counted from straight down.
        for child in (*right, *middle, *left):
            share = span * leaves[child] / leaves[i]
            angle[child] = (at, at + share)
            at += share
    middle_angle = angle[:k].mean(1)
    place = _radius(skeleton, parent)[:, None] * np.stack([np.sin(middle_angle), np.cos(middle_angle)], -1)
    bend = np.array([RIGID if p == k else FREE for p in parent])
    return np.array(parent), _evened(place, np.array(skeleton.flip)), bend


def _evened(place: Float, flip: NDArray[np.int64]) -> Float:
    """(K, 2) the layout made its own mirror image: points of the middle move onto the axis, apart from each other."""
    if (flip == np.arange(len(flip))).all():
        return place
    place = (place + place[flip] * (-1.0, 1.0)) / 2
    middle = np.flatnonzero(flip == np.arange(len(flip)))
    for n, i in enumerate(middle):
        while n and np.abs(place[middle[:n], 1] - place[i, 1]).min() < 0.4:
            place[i, 1] += 0.5
    return place


def _radius(skeleton: Skeleton, parent: list[int]) -> Float:
    """(K,) how far from the middle each point lies: bones to go, or rings where many points hang on nothing."""
    level = np.zeros(len(parent) + 1)
    for i in _parents_first(np.array(parent)):
        level[i] = level[parent[i]] + 1
    loose = [i for i, p in enumerate(parent) if p == len(parent)]
    if len(loose) == 1:
        return level[:-1] - 1
    if len(loose) > 12:
        for i in loose:
            level[i] -= 0.3 * (min(i, skeleton.flip[i]) % 3)
    return level[:-1]


def _tree(skeleton: Skeleton) -> list[int]:
    """What each point hangs on; no point of the middle hangs on a sided one, so the tree is its own mirror image."""
    k, flip = len(skeleton.points), skeleton.flip
    near: list[set[int]] = [set() for _ in range(k)]
    for a, b in skeleton.edges:
        for i, j in ((a, b), (flip[a], flip[b])):
            near[i].add(j)
            near[j].add(i)
    parent = [k] * k
    seen: set[int] = set()
    # The best connected point of the middle comes first: it becomes the root of its part.
    for root in sorted(range(k), key=lambda i: (flip[i] != i, -len(near[i]), i)):
        if root in seen:
            continue
        queue = [root] if flip[root] == root else [root, flip[root]]
        seen |= set(queue)
        while queue:
            point = queue.pop(0)
            for other in sorted(near[point] - seen):
                blocked = flip[other] == other and flip[point] != point
                parent[other] = k if blocked else point
                if (
                    not blocked
                    and flip[other] != other
                    and flip[other] in near[flip[point]]
                    and flip[other] not in seen
                ):
                    parent[flip[other]] = flip[point]
                    seen.add(flip[other])
                    queue.append(flip[other])
                seen.add(other)
                queue.append(other)
    return parent
