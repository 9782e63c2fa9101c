"""CenterNet for poses. Zhou et al. 2019, arXiv:1904.07850."""

from __future__ import annotations

from posekit.codecs.scenes.center_pose import CenterPose
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.focal import Focal
from posekit.losses.offsets import Offset
from posekit.models.heads.scenes.branches import Branches
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.upsample import Upsample
from posekit.models.onestage import OneStage
from posekit.recipes.onestage import Form, Parts

STRIDE = 4


def centernet(skeleton: Skeleton, form: Form) -> Parts:
    """Hills on middles and joints; the light form grows its maps with separable convolutions."""
    return Parts(
        codec=CenterPose(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE)),
        model=OneStage(
            size=form.size,
            backbone=form.backbone,
            neck=Upsample() if form.tiny else Deconv(),
            head=Branches(),
            stride=STRIDE,
        ),
        losses={
            "centre": Focal(of="centre"),
            "peaks": Focal(),
            "size": Offset(of="size", weight=0.1),
            "step": Offset(of="step"),
            "joints": Offset(of="joints"),
            "offset": Offset(),
        },
    )
