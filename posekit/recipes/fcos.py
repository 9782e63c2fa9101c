"""FCOS with points. Tian et al. 2019, arXiv:1904.01355."""

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
    """Boxes and points told by the cells of a pyramid; the light form has a thinner one that ends with the backbone."""
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
    """Five levels, or as many as the size can be halved to; three thin ones in the light form."""
    fits = [extra for extra in range(3) if not any(side % (LAST << extra) for side in form.size)]
    extra = 0 if form.tiny else max(fits, default=0)
    return FPN(channels=64 if form.tiny else 256, finest=FINEST, extra=extra)


def strides_of(neck: FPN) -> tuple[int, ...]:
    """Of a pyramid over a backbone that ends at stride 32."""
    strides = [neck.finest]
    while strides[-1] < LAST << neck.extra:
        strides.append(2 * strides[-1])
    return tuple(strides)


def detection_losses() -> dict[str, AnyLoss]:
    """Of classes, boxes and centre-ness."""
    return {"class": SigmoidFocal(), "box": Giou(), "centreness": Bce()}


def suppressed() -> NMS:
    """Of several boxes over the same instance the best."""
    return NMS(method="box", threshold=0.6, score_threshold=0.05)
