"""Known skeletons: names, mirror pairs, bones and OKS sigmas, data only."""

from __future__ import annotations

from posekit.geometry.skeleton import Skeleton
from posekit.skeletons.animal import AP10K17
from posekit.skeletons.body import COCO17, CROWDPOSE14, LSP14, MPII16
from posekit.skeletons.face import FACE5, FACE68, WFLW98
from posekit.skeletons.hand import HAND21
from posekit.skeletons.mediapipe import MEDIAPIPE33
from posekit.skeletons.openpose import BODY25, OPENPOSE18

SKELETONS: dict[str, Skeleton] = {
    "coco17": COCO17,
    "crowdpose14": CROWDPOSE14,
    "mpii16": MPII16,
    "lsp14": LSP14,
    "body25": BODY25,
    "openpose18": OPENPOSE18,
    "mediapipe33": MEDIAPIPE33,
    "face5": FACE5,
    "face68": FACE68,
    "wflw98": WFLW98,
    "hand21": HAND21,
    "ap10k17": AP10K17,
}
