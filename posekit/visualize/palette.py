"""Which colour a point, a bone and a curve gets. RGB, 0..255."""

from __future__ import annotations

import cv2
import numpy as np

from posekit.geometry.skeleton import Skeleton

Colour = tuple[int, int, int]

CENTRE: Colour = (51, 153, 255)
LEFT: Colour = (0, 255, 0)
RIGHT: Colour = (255, 128, 0)


def wheel(count: int) -> list[Colour]:
    """``count`` colours evenly round the wheel, as different as so many can be."""
    hues = np.arange(count) * 180.0 / max(count, 1)
    hsv = np.stack([hues, np.full(count, 200.0), np.full(count, 255.0)], -1).astype(np.uint8)[None]
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0] if count else np.empty((0, 3), np.uint8)
    return [(int(r), int(g), int(b)) for r, g, b in rgb]


def point_colours(skeleton: Skeleton) -> list[Colour]:
    """One colour for each point: by side if there are bones and mirror pairs, else all different.

    The first of a mirror pair is the left one, unless the names say otherwise.
    """
    if not skeleton.bones or not skeleton.mirror:
        return wheel(len(skeleton.points))
    colours = [CENTRE] * len(skeleton.points)
    for pair in skeleton.mirror:
        left, right = pair[::-1] if "right" in pair[0].lower() else pair
        colours[skeleton.points.index(left)] = LEFT
        colours[skeleton.points.index(right)] = RIGHT
    return colours


def bone_colours(skeleton: Skeleton) -> list[Colour]:
    """One colour for each bone.

    That of its side; a bone from left to right, or along the middle, is central. Without mirror pairs, the mean of the
    colours of its ends.
    """
    points = point_colours(skeleton)
    if not skeleton.mirror:
        return [_mean(points[i], points[j]) for i, j in skeleton.edges]
    colours = []
    for i, j in skeleton.edges:
        sides = {points[i], points[j]} - {CENTRE}
        colours.append(sides.pop() if len(sides) == 1 else CENTRE)
    return colours


def _mean(a: Colour, b: Colour) -> Colour:
    return (a[0] + b[0]) // 2, (a[1] + b[1]) // 2, (a[2] + b[2]) // 2
