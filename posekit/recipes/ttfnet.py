"""TTFNet for poses. Liu et al. 2020, arXiv:1909.00700."""

from __future__ import annotations

from posekit.codecs.scenes.ttf_pose import TtfPose
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.boxes import Giou
from posekit.losses.focal import Focal
from posekit.losses.offsets import Offset
from posekit.models.heads.scenes.branches import Branches
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.upsample import Upsample
from posekit.models.onestage import OneStage
from posekit.recipes.onestage import Form, Parts

STRIDE = 4


def ttfnet(skeleton: Skeleton, form: Form) -> Parts:
    """Dense samples around each middle; the points' loss is of the size of the boxes' one."""
    return Parts(
        codec=TtfPose(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE)),
        model=OneStage(
            size=form.size,
            backbone=form.backbone,
            neck=Upsample() if form.tiny else Deconv(),
            head=Branches(),
            stride=STRIDE,
        ),
        losses={
            "centre": Focal(of="centre"),
            "box": Giou(weight=5.0),
            "joints": Offset(of="joints", smooth=1.0),
        },
    )
