"""FCPose. Mao et al. 2021, arXiv:2105.14185."""

from __future__ import annotations

from posekit.codecs.one_stage.fcpose import FCPose
from posekit.geometry.skeleton import Skeleton
from posekit.losses.fcpose import PointMaps, Refine, Side
from posekit.models.heads.one_stage.fcpose import FCPoseHead
from posekit.models.onestage import OneStage
from posekit.recipes.fcos import FINEST, detection_losses, pyramid, strides_of, suppressed
from posekit.recipes.onestage import Form, Parts


def fcpose(skeleton: Skeleton, form: Form) -> Parts:
    """FCPose: a dynamic keypoint head for each instance on shared features.

    The tiny form has fewer channels and no auxiliary heatmaps, which would take a third of its training step.
    """
    neck = pyramid(form)
    light = FCPoseHead(channels=64, convs=2, width=64, features=16, hidden=16)
    beside = {"fine": Side(of=f"side_{FINEST // 4}", weight=0.2), "coarse": Side(of=f"side_{FINEST}", weight=0.2)}
    return Parts(
        codec=FCPose(points=len(skeleton.points), size=form.size, strides=strides_of(neck), sides=not form.tiny),
        model=OneStage(size=form.size, backbone=form.backbone, neck=neck, head=light if form.tiny else FCPoseHead()),
        losses=detection_losses()
        | {"point_maps": PointMaps(weight=2.5), "refine": Refine(weight=9.0)}
        | ({} if form.tiny else beside),
        nms=suppressed(),
    )
