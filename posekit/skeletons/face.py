"""Faces: five points, the 68 of 300W, the 98 of WFLW.

Left and right are the person's own in the 68 and 98 points, which begin on the person's right, the picture's left.
The five points of detectors are locations in the picture instead: their left eye is the one further left.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import Skeleton

Pairs = tuple[tuple[str, str], ...]

FACE5 = Skeleton(
    name="face5",
    points=("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"),
    mirror=(("left_eye", "right_eye"), ("left_mouth", "right_mouth")),
    bones=(
        ("left_eye", "right_eye"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        ("nose", "left_mouth"),
        ("nose", "right_mouth"),
        ("left_mouth", "right_mouth"),
    ),
    symmetry="positional",
)


def _up(stem: str, n: int) -> tuple[str, ...]:
    """Names numbered 1 to n."""
    return tuple(f"{stem}_{i}" for i in range(1, n + 1))


def _down(stem: str, n: int) -> tuple[str, ...]:
    """Names numbered n to 1."""
    return _up(stem, n)[::-1]


def _line(points: Sequence[str]) -> Pairs:
    """Bones from each point to the next."""
    return tuple(pairwise(points))


def _ring(points: Sequence[str]) -> Pairs:
    """Bones from each point to the next, and from the last to the first."""
    return (*pairwise(points), (points[-1], points[0]))


_NOSE = (
    "nose_bridge_1",
    "nose_bridge_2",
    "nose_bridge_3",
    "nose_tip",
    "right_nostril_1",
    "right_nostril_2",
    "nose_base",
    "left_nostril_2",
    "left_nostril_1",
)
_LIPS = (
    "right_lip_corner",
    "right_lip_upper_1",
    "right_lip_upper_2",
    "lip_upper",
    "left_lip_upper_2",
    "left_lip_upper_1",
    "left_lip_corner",
    "left_lip_lower_1",
    "left_lip_lower_2",
    "lip_lower",
    "right_lip_lower_2",
    "right_lip_lower_1",
)
_MOUTH = (
    "right_mouth_corner",
    "right_mouth_upper",
    "mouth_upper",
    "left_mouth_upper",
    "left_mouth_corner",
    "left_mouth_lower",
    "mouth_lower",
    "right_mouth_lower",
)

_JAW68 = (*_up("right_jaw", 8), "chin", *_down("left_jaw", 8))
_BROWS68 = (_up("right_brow", 5), _down("left_brow", 5))
_EYES68 = (
    (
        "right_eye_outer",
        "right_eye_upper_outer",
        "right_eye_upper_inner",
        "right_eye_inner",
        "right_eye_lower_inner",
        "right_eye_lower_outer",
    ),
    (
        "left_eye_inner",
        "left_eye_upper_inner",
        "left_eye_upper_outer",
        "left_eye_outer",
        "left_eye_lower_outer",
        "left_eye_lower_inner",
    ),
)
_FACE68 = (*_JAW68, *_BROWS68[0], *_BROWS68[1], *_NOSE, *_EYES68[0], *_EYES68[1], *_LIPS, *_MOUTH)

# Sigmas of COCO-WholeBody's face, in the same order; 300W itself publishes none.
_SIGMAS68 = (
    *(0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041),
    *(0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012),
    *(0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
    *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008),
    *(0.008, 0.008, 0.010, 0.008),
)

FACE68 = Skeleton(
    name="face68",
    points=_FACE68,
    mirror=infer_mirror(_FACE68),
    bones=(
        *_line(_JAW68),
        *_line(_BROWS68[0]),
        *_line(_BROWS68[1]),
        *_line(_NOSE[:4]),
        *_line(_NOSE[4:]),
        *_ring(_EYES68[0]),
        *_ring(_EYES68[1]),
        *_ring(_LIPS),
        *_ring(_MOUTH),
    ),
    sigmas=dict(zip(_FACE68, _SIGMAS68, strict=True)),
)

_JAW98 = (*_up("right_jaw", 16), "chin", *_down("left_jaw", 16))
_BROWS98 = (
    (*_up("right_brow_upper", 5), *_down("right_brow_lower", 4)),
    (*_down("left_brow_upper", 5), *_up("left_brow_lower", 4)),
)
_EYES98 = (
    (
        "right_eye_outer",
        "right_eye_upper_outer",
        "right_eye_upper",
        "right_eye_upper_inner",
        "right_eye_inner",
        "right_eye_lower_inner",
        "right_eye_lower",
        "right_eye_lower_outer",
    ),
    (
        "left_eye_inner",
        "left_eye_upper_inner",
        "left_eye_upper",
        "left_eye_upper_outer",
        "left_eye_outer",
        "left_eye_lower_outer",
        "left_eye_lower",
        "left_eye_lower_inner",
    ),
)
_WFLW98 = (
    *_JAW98,
    *_BROWS98[0],
    *_BROWS98[1],
    *_NOSE,
    *_EYES98[0],
    *_EYES98[1],
    *_LIPS,
    *_MOUTH,
    "right_pupil",
    "left_pupil",
)

WFLW98 = Skeleton(
    name="wflw98",
    points=_WFLW98,
    mirror=infer_mirror(_WFLW98),
    bones=(
        *_line(_JAW98),
        *_ring(_BROWS98[0]),
        *_ring(_BROWS98[1]),
        *_line(_NOSE[:4]),
        *_line(_NOSE[4:]),
        *_ring(_EYES98[0]),
        *_ring(_EYES98[1]),
        *_ring(_LIPS),
        *_ring(_MOUTH),
    ),
)
