"""People: COCO, CrowdPose, MPII, LSP. Left and right are the person's own."""

from __future__ import annotations

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import Skeleton

_COCO = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

_LEGS = (
    ("left_ankle", "left_knee"),
    ("left_knee", "left_hip"),
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
)

_ARMS = (
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
)

_BACKBONE = (
    ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"),
)

_PAIR_SIGMAS = {"shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107, "knee": 0.087, "ankle": 0.089}
_PAIRS = {f"{side}_{point}": sigma for point, sigma in _PAIR_SIGMAS.items() for side in ("left", "right")}

COCO17 = Skeleton(
    name="coco17",
    points=_COCO,
    mirror=infer_mirror(_COCO),
    bones=(
        *_LEGS,
        *_BACKBONE,
        *_ARMS,
        ("left_eye", "right_eye"),
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
        ("left_ear", "left_shoulder"),
        ("right_ear", "right_shoulder"),
    ),
    sigmas={"nose": 0.026, "left_eye": 0.025, "right_eye": 0.025, "left_ear": 0.035, "right_ear": 0.035, **_PAIRS},
)

_CROWDPOSE = (
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "head_top",
    "neck",
)

CROWDPOSE14 = Skeleton(
    name="crowdpose14",
    points=_CROWDPOSE,
    mirror=infer_mirror(_CROWDPOSE),
    bones=(
        *_LEGS,
        *_BACKBONE,
        *_ARMS,
        ("head_top", "neck"),
        ("neck", "right_shoulder"),
        ("neck", "left_shoulder"),
    ),
    sigmas={**_PAIRS, "head_top": 0.079, "neck": 0.079},
)

_MPII = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "upper_neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)

# MPII defines no OKS. These are MMPose's values, including its 0.179 for the shoulders and 0.083 for the knees (COCO:
# 0.079 and 0.087), so that results are comparable.
MPII16 = Skeleton(
    name="mpii16",
    points=_MPII,
    mirror=infer_mirror(_MPII),
    bones=(
        *_LEGS,
        ("right_hip", "pelvis"),
        ("left_hip", "pelvis"),
        ("pelvis", "thorax"),
        ("thorax", "upper_neck"),
        ("upper_neck", "head_top"),
        ("upper_neck", "right_shoulder"),
        ("upper_neck", "left_shoulder"),
        *_ARMS,
    ),
    sigmas={
        **_PAIRS,
        "right_knee": 0.083,
        "left_knee": 0.083,
        "right_shoulder": 0.179,
        "left_shoulder": 0.179,
        "pelvis": 0.026,
        "thorax": 0.026,
        "upper_neck": 0.026,
        "head_top": 0.026,
    },
)

_LSP = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
)

LSP14 = Skeleton(
    name="lsp14",
    points=_LSP,
    mirror=infer_mirror(_LSP),
    bones=(
        *_LEGS,
        ("left_hip", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        *_ARMS,
        ("neck", "head_top"),
        ("right_shoulder", "neck"),
        ("left_shoulder", "neck"),
    ),
)
