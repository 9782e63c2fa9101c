"""Four-legged animals: AP-10K. Left and right are the animal's own."""

from __future__ import annotations

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import Skeleton

_AP10K = (
    "left_eye",
    "right_eye",
    "nose",
    "neck",
    "tail_root",
    "left_shoulder",
    "left_elbow",
    "left_front_paw",
    "right_shoulder",
    "right_elbow",
    "right_front_paw",
    "left_hip",
    "left_knee",
    "left_back_paw",
    "right_hip",
    "right_knee",
    "right_back_paw",
)

# The published list is COCO's, copied by position although AP-10K orders its legs differently, so left and right legs
# have different sigmas. Kept, because AP-10K's published figures use it.
_SIGMAS = (
    *(0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)

AP10K17 = Skeleton(
    name="ap10k17",
    points=_AP10K,
    mirror=infer_mirror(_AP10K),
    bones=(
        ("left_eye", "right_eye"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        ("nose", "neck"),
        ("neck", "tail_root"),
        ("neck", "left_shoulder"),
        ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_front_paw"),
        ("neck", "right_shoulder"),
        ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_front_paw"),
        ("tail_root", "left_hip"),
        ("left_hip", "left_knee"),
        ("left_knee", "left_back_paw"),
        ("tail_root", "right_hip"),
        ("right_hip", "right_knee"),
        ("right_knee", "right_back_paw"),
    ),
    sigmas=dict(zip(_AP10K, _SIGMAS, strict=True)),
)
