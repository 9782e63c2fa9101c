"""The 33 points of MediaPipe's pose (BlazePose). Left and right are the person's own."""

from __future__ import annotations

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import Skeleton

_SIDES = ("left", "right")
_EYES = tuple(f"{side}_{point}" for side in _SIDES for point in ("eye_inner", "eye", "eye_outer"))
_PAIRED = (
    *("ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
    *("hip", "knee", "ankle", "heel", "foot_index"),
)
_POINTS = ("nose", *_EYES, *(f"{side}_{point}" for point in _PAIRED for side in _SIDES))
_HAND = (("wrist", "pinky"), ("wrist", "index"), ("wrist", "thumb"), ("pinky", "index"))
_FOOT = (("ankle", "heel"), ("heel", "foot_index"), ("ankle", "foot_index"))
_BODY = (
    *(("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle")),
    *(("eye_inner", "eye"), ("eye", "eye_outer"), ("eye_outer", "ear")),
)

# COCO's sigmas where COCO has the point; MediaPipe publishes none.
_SIGMAS = {"eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107}
_SIGMAS |= {"knee": 0.087, "ankle": 0.089}

MEDIAPIPE33 = Skeleton(
    name="mediapipe33",
    points=_POINTS,
    mirror=infer_mirror(_POINTS),
    bones=(
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        ("left_mouth", "right_mouth"),
        *(("nose", f"{side}_eye_inner") for side in _SIDES),
        *((f"{side}_{a}", f"{side}_{b}") for side in _SIDES for a, b in (*_BODY, *_HAND, *_FOOT)),
    ),
    sigmas={"nose": 0.026, **{f"{side}_{point}": sigma for point, sigma in _SIGMAS.items() for side in _SIDES}},
)
