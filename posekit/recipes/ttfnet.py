"""TTFNet for pose estimation. Liu et al. 2020, arXiv:1909.00700."""

from __future__ import annotations

from posekit.codecs.one_stage.ttf_pose import TtfPose
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.boxes import Giou
from posekit.losses.focal import Focal
from posekit.losses.offsets import Offset
from posekit.recipes.onestage import Form, Parts, one_map

STRIDE = 4


def ttfnet(skeleton: Skeleton, form: Form) -> Parts:
    """TTFNet: several training samples around each centre.

    Offsets have the weight of boxes and an L1 loss: a squared loss would leave them a pixel off.
    """
    return Parts(
        codec=TtfPose(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE)),
        model=one_map(form, STRIDE),
        losses={
            "centre": Focal(of="centre"),
            "box": Giou(weight=5.0),
            "point_offsets": Offset(of="point_offsets", weight=5.0),
        },
    )
