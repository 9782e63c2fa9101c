"""Pictures of articulated figures on clutter. Everything follows from one generator and the poses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.articulation import Articulation

Float = NDArray[np.floating]
Image = NDArray[np.uint8]

SHIFT = 4
"""Bits of a pixel that OpenCV's drawing resolves."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """M posed figures in pixels.

    Args:
        xy: (M, K, 2) continuous pixels.
        depth: (M, K) pixels, away from the viewer.
        limb: (M,) thickness of limbs, pixels.
        behind: (M,) bool, seen from behind.
    """

    xy: Float
    depth: Float
    limb: Float
    behind: NDArray[np.bool_]


def joint_radius(limb: Float | float) -> Float | float:
    """Of the disc that marks a point, from the thickness of the limbs."""
    return 0.62 * limb


def hidden(figures: Figures, body: Articulation) -> NDArray[np.bool_]:
    """(M, K) whether another part of the same figure lies over a point."""
    xy, depth = figures.xy, figures.depth
    a, b = body.limbs.T
    along, off = nearest(xy, xy[:, a], xy[:, b])
    limb_depth = depth[:, None, a] * (1 - along) + depth[:, None, b] * along
    k = np.arange(xy.shape[1])
    own = (k[:, None] == a) | (k[:, None] == b)
    thick = figures.limb[:, None, None]
    over = (off < thick / 2) & (limb_depth < depth[..., None] - thick / 2) & ~own
    covered = over.any(-1)
    # A nearer point's disc covers as well.
    apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=-1)
    nearer = (depth[:, None] < depth[..., None]) & (k[:, None] != k)
    covered |= ((apart < 0.8 * joint_radius(thick)) & nearer).any(-1)
    return covered | _behind_torso(figures, body)


def _behind_torso(figures: Figures, body: Articulation) -> NDArray[np.bool_]:
    if not body.torso:
        return np.zeros(figures.depth.shape, bool)
    corners = figures.xy[:, body.torso]
    edge = np.roll(corners, -1, 1) - corners
    to = figures.xy[:, :, None] - corners[:, None]
    cross = edge[:, None, :, 0] * to[..., 1] - edge[:, None, :, 1] * to[..., 0]
    inside = (cross > 0).all(-1) | (cross < 0).all(-1)
    plane = figures.depth[:, body.torso].mean(1)[:, None]
    inside &= figures.depth > plane + figures.limb[:, None] / 2
    inside[:, body.torso] = False
    return inside


def nearest(points: Float, start: Float, end: Float) -> tuple[Float, Float]:
    """Where on each segment each point is nearest.

    Args:
        points: (M, K, 2).
        start: (M, E, 2).
        end: (M, E, 2).

    Returns:
        (M, K, E) share of the way from start to end, in [0, 1], and (M, K, E) distance.
    """
    way = (end - start)[:, None]
    to = points[:, :, None] - start[:, None]
    along = np.clip((to * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-9), 0, 1)
    return along, np.linalg.norm(to - along[..., None] * way, axis=-1)


def paint(figures: Figures, body: Articulation, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Draw figures on clutter, the last one in front.

    Args:
        figures: of this image.
        body: how they are built.
        size: (height, width).
        rng: of all that is random but the poses.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = _clutter(size, rng)
    for i in range(len(figures.xy)):
        _figure(image, figures, i, body, rng)
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.3, 0.8))), np.uint8)
    noise = int(rng.integers(2, 14))
    image = np.asarray(cv2.add(image, rng.integers(0, noise, image.shape, np.uint8)), np.uint8)
    return np.asarray(cv2.subtract(image, rng.integers(0, noise, image.shape, np.uint8)), np.uint8)


def _clutter(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A soft background with shapes in it."""
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


def _figure(image: Image, figures: Figures, i: int, body: Articulation, rng: np.random.Generator) -> None:
    """Draw figure ``i`` from its farthest part to its nearest."""
    xy, depth, limb = figures.xy[i], figures.depth[i], float(figures.limb[i])
    # Seen from behind a figure is dark, from the front light: that is what tells its left from its right.
    low, high = (20, 90) if figures.behind[i] else (150, 250)
    cloth = rng.integers(low, high, (len(body.limbs) + 1, 3)).tolist()
    fixed = np.rint((xy - 0.5) * (1 << SHIFT)).astype(int)
    looks = joint_colours(body, rng)
    if not len(body.limbs):
        # Points that hang on nothing, as in a face, lie on a plate.
        cv2.fillConvexPoly(image, cv2.convexHull(fixed.astype(np.int32)), cloth[0], cv2.LINE_AA, SHIFT)
    thickness, radius = max(1, round(limb)), round(float(joint_radius(limb)) * (1 << SHIFT))
    middle = depth[body.limbs].mean(1) if len(body.limbs) else np.zeros(0)
    parts = [(-middle[e], 0, e) for e in range(len(middle))]
    # A disc lies over the limbs that meet in it.
    parts += [(-depth[k] + limb / 2, 1, k) for k in range(len(xy))]
    if body.torso:
        parts.append((-depth[list(body.torso)].mean(), 2, 0))
    for _, kind, at in sorted(parts):
        if kind == 0:
            a, b = fixed[body.limbs[at]].tolist()
            cv2.line(image, a, b, cloth[at], thickness, cv2.LINE_AA, SHIFT)
        elif kind == 1:
            cv2.circle(image, fixed[at].tolist(), radius, looks[at], -1, cv2.LINE_AA, SHIFT)
        else:
            cv2.fillConvexPoly(image, fixed[list(body.torso)].astype(np.int32), cloth[-1], cv2.LINE_AA, SHIFT)


def joint_colours(body: Articulation, rng: np.random.Generator) -> list[list[int]]:
    """A bright colour for each point, about the same in every picture; mirror points share theirs."""
    groups = int(body.group.max()) + 1
    hue = (np.arange(groups) * 180.0 / groups + rng.uniform(-3, 3)) % 180
    # Where there are many groups, neighbours in hue differ in brightness.
    value = np.where(np.arange(groups) % 2, 255, 200 if groups > 8 else 255)
    hsv = np.stack([hue, np.full(groups, 235), value], -1).astype(np.uint8)
    rgb = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    return [[int(v) for v in rgb[g]] for g in body.group]
