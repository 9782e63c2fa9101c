"""Images of articulated people on random backgrounds, determined by one random generator and the poses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.articulation import Articulation

Float = NDArray[np.floating]
Image = NDArray[np.uint8]

SHIFT = 4
"""Fractional bits of a pixel in OpenCV's drawing functions."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """M posed people in pixels.

    Args:
        xy: (M, K, 2) continuous pixels.
        depth: (M, K) pixels, away from the camera.
        bone: (M,) thickness of bones, pixels.
        behind: (M,) bool, seen from behind.
    """

    xy: Float
    depth: Float
    bone: Float
    behind: NDArray[np.bool_]

    def __getitem__(self, chosen: NDArray[np.bool_] | slice) -> People:
        return People(self.xy[chosen], self.depth[chosen], self.bone[chosen], self.behind[chosen])


def point_radius(bone: Float | float) -> Float | float:
    """Radius of the disc of a point, from the thickness of the bones."""
    return 0.62 * bone


def nearness(people: People, body: Articulation) -> tuple[Float, Float, Float]:
    """Drawing order of parts, smallest first.

    Returns:
        (M, E) of bones, (M, K) of discs of points, (M,) of torsos. A disc is drawn over the bones that it joins.
    """
    depth, m = people.depth, len(people.depth)
    bone = -depth[:, body.bones].mean(2)
    torso = -depth[:, body.torso].mean(1) if body.torso else np.zeros(m)
    disc = people.bone[:, None] / 2 - depth
    k = np.arange(depth.shape[1])
    own = (k[:, None] == body.bones[:, 0]) | (k[:, None] == body.bones[:, 1])
    if len(body.bones):
        disc = np.maximum(disc, np.where(own, bone[:, None], -np.inf).max(-1) + 1e-3)
    if body.torso:
        disc[:, body.torso] = np.maximum(disc[:, body.torso], torso[:, None] + 1e-3)
    return bone, disc, torso


def hidden(people: People, body: Articulation) -> NDArray[np.bool_]:
    """(M, K) whether a point is covered by another part of the same person."""
    bone, disc, torso = nearness(people, body)
    on_bone, on_disc, on_torso = covering(people.xy, people, body)
    here = disc[..., None]
    covered = (on_bone & (bone[:, None] > here)).any(-1) | (on_disc & (disc[:, None] > here)).any(-1)
    return covered | (on_torso & (torso[:, None] > disc))


def covering(points: Float, people: People, body: Articulation) -> tuple[NDArray[np.bool_], ...]:
    """Which parts of each person lie over or under some points.

    Args:
        points: (M, P, 2), for each of the M people.
        people: M.
        body: how they are built.

    Returns:
        (M, P, E) bones, (M, P, K) discs, (M, P) torsos.
    """
    a, b = body.bones.T
    xy, thick = people.xy, people.bone[:, None, None]
    on_bone = nearest(points, xy[:, a], xy[:, b]) < thick / 2
    on_disc = np.linalg.norm(points[:, :, None] - xy[:, None], axis=-1) < point_radius(thick)
    if not body.torso:
        return on_bone, on_disc, np.zeros(points.shape[:2], bool)
    corners = xy[:, body.torso]
    edge = np.roll(corners, -1, 1) - corners
    to = points[:, :, None] - corners[:, None]
    cross = edge[:, None, :, 0] * to[..., 1] - edge[:, None, :, 1] * to[..., 0]
    on_torso: NDArray[np.bool_] = np.all(cross > 0, -1) | np.all(cross < 0, -1)
    return on_bone, on_disc, on_torso


def nearest(points: Float, start: Float, end: Float) -> Float:
    """(M, P, E) distance of points (M, P, 2) from segments between (M, E, 2) and (M, E, 2)."""
    way = (end - start)[:, None]
    to = points[:, :, None] - start[:, None]
    along = np.clip((to * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-9), 0, 1)
    return np.asarray(np.linalg.norm(to - along[..., None] * way, axis=-1))


def paint(people: People, body: Articulation, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Draw people on a random background, the last one in front.

    Args:
        people: of this image.
        body: their articulation.
        size: (height, width).
        rng: random generator for everything except the poses.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = _clutter(size, rng)
    bone, disc, torso = nearness(people, body)
    for i in range(len(people.xy)):
        parts = [(key, 0, e) for e, key in enumerate(bone[i].tolist())]
        parts += [(key, 1, k) for k, key in enumerate(disc[i].tolist())]
        parts += [(float(torso[i]), 2, 0)] if body.torso else []
        _figure(image, people, i, sorted(parts), body, rng)
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.3, 0.8))), np.uint8)
    noise = int(rng.integers(2, 14))
    image = np.asarray(cv2.add(image, rng.integers(0, noise, image.shape, np.uint8)), np.uint8)
    return np.asarray(cv2.subtract(image, rng.integers(0, noise, image.shape, np.uint8)), np.uint8)


def _clutter(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A blurred background with random shapes."""
    height, width = size
    coarse = rng.integers(20, 220, (int(rng.integers(2, 7)), int(rng.integers(2, 7)), 3), np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    reach = max(size)
    for _ in range(int(rng.integers(3, 9))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        a, b = rng.integers(reach // 16 + 1, reach // 4 + 2, 2).tolist()
        colour, kind, turn = rng.integers(0, 256, 3).tolist(), int(rng.integers(0, 3)), int(rng.integers(0, 180))
        if kind == 0:
            cv2.ellipse(image, (x, y), (a, b), turn, 0, 360, colour, -1)
        elif kind == 1:
            cv2.rectangle(image, (x, y), (x + a, y + b), colour, -1)
        else:
            cv2.line(image, (x, y), (x + 2 * a - b, y + 2 * b - a), colour, 1 + reach // 48)
    return image


def _figure(
    image: Image,
    people: People,
    i: int,
    parts: list[tuple[float, int, int]],
    body: Articulation,
    rng: np.random.Generator,
) -> None:
    """Draw person ``i`` part by part: bones (0), discs (1) and the torso (2), in the order given."""
    bone = float(people.bone[i])
    # People seen from behind are dark, others light, so that left and right can be distinguished.
    low, high = (20, 90) if people.behind[i] else (150, 250)
    cloth = rng.integers(low, high, (len(body.bones) + 1, 3)).tolist()
    fixed = np.rint((people.xy[i] - 0.5) * (1 << SHIFT)).astype(np.int32)
    looks = point_colours(body, rng)
    thickness, radius = max(1, round(bone)), round(float(point_radius(bone)) * (1 << SHIFT))
    if not len(body.bones):
        # Points without a parent, as in a face, lie on a plate.
        cv2.fillConvexPoly(image, cv2.convexHull(fixed), cloth[0], cv2.LINE_AA, SHIFT)
    for _, kind, at in parts:
        if kind == 0:
            a, b = fixed[body.bones[at]].tolist()
            cv2.line(image, a, b, cloth[at], thickness, cv2.LINE_AA, SHIFT)
        elif kind == 1:
            cv2.circle(image, fixed[at].tolist(), radius, looks[at], -1, cv2.LINE_AA, SHIFT)
        else:
            cv2.fillConvexPoly(image, fixed[list(body.torso)], cloth[-1], cv2.LINE_AA, SHIFT)


def point_colours(body: Articulation, rng: np.random.Generator) -> list[list[int]]:
    """A bright colour for each point, about the same in every picture; mirror points share theirs."""
    groups = int(body.group.max()) + 1
    hue = (np.arange(groups) * 180.0 / groups + rng.uniform(-3, 3)) % 180
    # Where there are many groups, neighbours in hue differ in brightness.
    value = np.where(np.arange(groups) % 2, 255, 200 if groups > 8 else 255)
    hsv = np.stack([hue, np.full(groups, 235), value], -1).astype(np.uint8)
    rgb = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    return [[int(v) for v in rgb[g]] for g in body.group]
