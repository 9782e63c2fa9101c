"""CenterNet for pose estimation. Zhou et al. 2019, arXiv:1904.07850."""

from __future__ import annotations

from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.focal import Focal
from posekit.losses.offsets import Offset
from posekit.models.backbones.movenet import MoveNet
from posekit.recipes.onestage import Form, Parts, one_map

STRIDE = 4


def centernet(skeleton: Skeleton, form: Form) -> Parts:
    """CenterNet: Gaussians on centres and points; the tiny form has separable convolutions after its backbone.

    In the short training of the tiny form, offsets would not reach their length, so their unit is several cells. On
    MoveNet's backbone each kind of point has its own sub-cell offset, as in MoveNet: its weights can be the start.
    """
    unit = 16.0 if form.tiny else None
    each = isinstance(form.backbone, MoveNet)
    return Parts(
        codec=CenterPose(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE), unit=unit, offset_each=each),
        model=one_map(form, STRIDE),
        losses={
            "centre": Focal(of="centre"),
            "peaks": Focal(),
            "size": Offset(of="size", weight=0.1),
            "centre_offset": Offset(of="centre_offset"),
            "point_offsets": Offset(of="point_offsets"),
            "offset": Offset(),
        },
    )
