"""Hands: wrist and four points a finger, from the palm outwards; a mirrored left hand is a right one."""

from __future__ import annotations

from itertools import pairwise

from posekit.geometry.skeleton import Skeleton

_FINGERS = tuple(
    tuple(f"{finger}{i}" for i in range(1, 5))
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
)
_HAND = ("wrist", *(point for finger in _FINGERS for point in finger))

# Sigmas of COCO-WholeBody's hands.
_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024),
    *(0.022, 0.026, 0.017, 0.021, 0.021, 0.032, 0.020, 0.019, 0.022, 0.031),
)

HAND21 = Skeleton(
    name="hand21",
    points=_HAND,
    bones=tuple(bone for finger in _FINGERS for bone in pairwise(("wrist", *finger))),
    sigmas=dict(zip(_HAND, _SIGMAS, strict=True)),
)
