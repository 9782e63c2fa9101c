"""Rest positions of the points of a densely labelled face, by name."""

from __future__ import annotations

import re

import numpy as np

# What follows the part's name, and the place on the left side of the face: x to the right of the image, y down.
_LOCATIONS: dict[str, tuple[float, float]] = {
    "chin": (0, 0.97),
    "nose_tip": (0, 0.17),
    "nostril_1": (0.22, 0.25),
    "nostril_2": (0.11, 0.29),
    "nose_base": (0, 0.32),
    "eye_outer": (0.7, -0.3),
    "eye_upper_outer": (0.58, -0.39),
    "eye_upper": (0.48, -0.42),
    "eye_upper_inner": (0.38, -0.39),
    "eye_inner": (0.26, -0.28),
    "eye_lower_inner": (0.38, -0.22),
    "eye_lower": (0.48, -0.2),
    "eye_lower_outer": (0.58, -0.22),
    "pupil": (0.48, -0.31),
    "lip_corner": (0.42, 0.6),
    "lip_upper_1": (0.27, 0.51),
    "lip_upper_2": (0.12, 0.46),
    "lip_upper": (0, 0.48),
    "lip_lower_1": (0.27, 0.72),
    "lip_lower_2": (0.13, 0.78),
    "lip_lower": (0, 0.8),
    "mouth_corner": (0.34, 0.6),
    "mouth_upper": (0, 0.56),
    "mouth_lower": (0, 0.67),
}


def face_place(name: str, last: int) -> tuple[float, float] | None:
    """Position of a point on the left half of a face; ``None`` if the name is unknown.

    Args:
        name: of the point, with or without its side.
        last: highest number of a jaw point on one side.
    """
    part = re.sub(r"^(left|right)_", "", name)
    if part in ("mouth_upper", "mouth_lower") and part != name:
        # The lips have inner points beside the middle as well.
        return 0.15, _LOCATIONS[part][1]
    if part in _LOCATIONS:
        return _LOCATIONS[part]
    counted = re.fullmatch(r"(jaw|brow|brow_upper|brow_lower|nose_bridge)_(\d+)", part)
    if counted is None:
        return None
    what, number = counted[1], int(counted[2])
    if what == "jaw":
        turn = np.pi / 2 * (number - 1) / last
        return float(0.95 * np.cos(turn)), float(-0.3 + 1.25 * np.sin(turn))
    if what == "nose_bridge":
        return 0.0, -0.42 + 0.14 * number
    lift = {"brow": 0.0, "brow_upper": 0.06, "brow_lower": -0.06}[what]
    return 0.95 - 0.15 * number, -0.58 - lift - 0.1 * float(np.sin(np.pi * number / 6))
