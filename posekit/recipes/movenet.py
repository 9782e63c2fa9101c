"""MoveNet: CenterNet's maps on a small backbone, with heatmaps read near the offsets. Google, 2021; no paper."""

from __future__ import annotations

from posekit.codecs.one_stage.movenet import MoveNetPose
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.focal import Focal
from posekit.losses.offsets import Offset
from posekit.models.backbones.movenet import MoveNet
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.onestage import OneStage
from posekit.recipe import Train
from posekit.recipes.onestage import MOVENET_CHANNELS, Form, Parts

STRIDE = 4
PLAIN = Form((384, 384), MoveNet("multipose"), Train(epochs=140, batch=16, lr=5e-4))
TINY = Form((256, 256), MoveNet("lightning"), Train(epochs=60, batch=8, lr=1e-3), tiny=True)


def movenet(skeleton: Skeleton, form: Form) -> Parts:
    """The network and the decoding of MoveNet MultiPose; its losses were not published, so they are CenterNet's."""
    return Parts(
        codec=MoveNetPose(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE)),
        model=OneStage(
            size=form.size,
            backbone=form.backbone,
            neck=MoveNetFPN(),
            head=Branches(channels=MOVENET_CHANNELS, separable=True),
            stride=STRIDE,
        ),
        losses={
            "centre": Focal(of="centre"),
            "peaks": Focal(),
            "size": Offset(of="size", weight=0.1),
            "centre_offset": Offset(of="centre_offset"),
            "point_offsets": Offset(of="point_offsets"),
            "offset": Offset(),
        },
    )
