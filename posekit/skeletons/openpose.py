"""The bodies of OpenPose: BODY_25, and its COCO model with a neck. Left and right are the person's own."""

from __future__ import annotations

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import Skeleton

_ARM = ("shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle")
_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_UPPER = ("nose", "neck", *(f"right_{p}" for p in _ARM), *(f"left_{p}" for p in _ARM))
_FEET = ("big_toe", "small_toe", "heel")

_BODY25 = (
    *_UPPER,
    "mid_hip",
    *(f"right_{p}" for p in _LEG),
    *(f"left_{p}" for p in _LEG),
    *_FACE,
    *(f"{side}_{p}" for side in ("left", "right") for p in _FEET),
)
_COCO18 = (*_UPPER, *(f"right_{p}" for p in _LEG), *(f"left_{p}" for p in _LEG), *_FACE)


def _side(side: str, hips: str) -> tuple[tuple[str, str], ...]:
    """Bones of one side of the body."""
    return (
        ("neck", f"{side}_shoulder"),
        (f"{side}_shoulder", f"{side}_elbow"),
        (f"{side}_elbow", f"{side}_wrist"),
        (hips, f"{side}_hip"),
        (f"{side}_hip", f"{side}_knee"),
        (f"{side}_knee", f"{side}_ankle"),
        ("nose", f"{side}_eye"),
        (f"{side}_eye", f"{side}_ear"),
    )


def _foot(side: str) -> tuple[tuple[str, str], ...]:
    ankle, toe = f"{side}_ankle", f"{side}_big_toe"
    return ((ankle, toe), (toe, f"{side}_small_toe"), (ankle, f"{side}_heel"))


# COCO's sigmas where COCO has the point; the feet have those of COCO-WholeBody.
_SIGMAS = {"nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107}
_SIGMAS |= {"knee": 0.087, "ankle": 0.089, "big_toe": 0.068, "small_toe": 0.066, "heel": 0.066}


def _sigmas(points: tuple[str, ...]) -> dict[str, float]:
    bare = {point: point.removeprefix("left_").removeprefix("right_") for point in points}
    return {point: _SIGMAS[name] for point, name in bare.items() if name in _SIGMAS}


BODY25 = Skeleton(
    name="body25",
    points=_BODY25,
    mirror=infer_mirror(_BODY25),
    bones=(
        ("neck", "mid_hip"),
        ("neck", "nose"),
        *(bone for side in ("right", "left") for bone in (*_side(side, "mid_hip"), *_foot(side))),
    ),
    sigmas=_sigmas(_BODY25),
)

OPENPOSE18 = Skeleton(
    name="openpose18",
    points=_COCO18,
    mirror=infer_mirror(_COCO18),
    bones=(("neck", "nose"), *(bone for side in ("right", "left") for bone in _side(side, "neck"))),
    sigmas=_sigmas(_COCO18),
)
