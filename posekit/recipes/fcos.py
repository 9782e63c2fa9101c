"""FCOS with keypoints. Tian et al. 2019, arXiv:1904.01355."""

from __future__ import annotations

from posekit.codecs.one_stage.fcos import Fcos
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import AnyLoss
from posekit.losses.boxes import Giou
from posekit.losses.classes import Bce, SigmoidFocal
from posekit.losses.offsets import Offset
from posekit.models.heads.one_stage.fcos import FCOS
from posekit.models.necks.fpn import FPN
from posekit.models.onestage import OneStage
from posekit.postprocess.suppress import NMS
from posekit.recipes.onestage import Form, Parts

FINEST = 8
LAST = 32
"""Stride of the backbone's last map."""


def fcos(skeleton: Skeleton, form: Form) -> Parts:
    """FCOS with a keypoint branch; the tiny form has fewer channels and no levels beyond the backbone's."""
    neck = pyramid(form)
    return Parts(
        codec=Fcos(points=len(skeleton.points), size=form.size, strides=strides_of(neck)),
        model=OneStage(
            size=form.size,
            backbone=form.backbone,
            neck=neck,
            head=FCOS(channels=neck.channels, convs=2 if form.tiny else 4),
        ),
        losses=detection_losses() | {"points": Offset(of="points", smooth=1 / 9)},
        nms=suppressed(),
    )


def pyramid(form: Form) -> FPN:
    """FPN with up to five levels, as many as the image size allows; in the tiny form three with 64 channels."""
    fits = [extra for extra in range(3) if not any(side % (LAST << extra) for side in form.size)]
    extra = 0 if form.tiny else max(fits, default=0)
    return FPN(channels=64 if form.tiny else 256, finest=FINEST, extra=extra)


def strides_of(neck: FPN) -> tuple[int, ...]:
    """Strides of a pyramid on a backbone whose last stride is 32."""
    strides = [neck.finest]
    while strides[-1] < LAST << neck.extra:
        strides.append(2 * strides[-1])
    return tuple(strides)


def detection_losses() -> dict[str, AnyLoss]:
    """Losses of class, box and centre-ness."""
    return {"class": SigmoidFocal(), "box": Giou(), "centreness": Bce()}


def suppressed() -> NMS:
    """Box NMS with FCOS's thresholds."""
    return NMS(method="box", threshold=0.6, score_threshold=0.05)
