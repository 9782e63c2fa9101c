"""DEKR and its first version. Geng et al. 2021, arXiv:2104.02300; Sun et al. 2020, arXiv:2006.15480."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.dekr_first import DekrFirst
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import AnyLoss
from posekit.losses.focal import Qfl
from posekit.losses.heatmaps import Mse
from posekit.losses.offsets import Offset
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.movenet import MoveNet
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_branches import DekrBranches
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.necks.concat import Concat
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.upsample import Upsample
from posekit.models.onestage import OneStage
from posekit.postprocess.suppress import NMS
from posekit.recipe import Recipe
from posekit.recipes.onestage import Form, Parts

STRIDE = 4
UNIT = 16.0
"""Pixels that an output of 1 stands for in the tiny form's offsets."""
FILE = 640
"""Longer side of COCO's images in pixels."""


def dekr(skeleton: Skeleton, form: Form) -> Parts:
    """DEKR: Gaussians on centres and points, and offsets from adaptive blocks, one branch for each point.

    The published network has ``backbone="hrnet"``, whose four maps are concatenated. On MoveNet's backbone the blocks
    refine the offsets of MoveNet's branches: its weights can be the start.
    """
    codec = Dekr(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE), **_spreads(form))
    head: DekrHead | DekrBranches
    if isinstance(form.backbone, MoveNet):
        codec, head, losses = _on_branches(codec, form.tiny)
    else:
        head = DekrHead(channels=16, blocks=1) if form.tiny else DekrHead(channels=_channels(form))
        losses = _losses(0.03)
    return Parts(
        codec=codec, model=_model(form, head), losses=losses, nms=NMS(method="pose_distance", max_instances=30)
    )


def with_branches(recipe: Recipe) -> Recipe:
    """A recipe of DEKR with the head for a start from a network with CenterNet's branches."""
    assert isinstance(recipe.codec, Dekr) and isinstance(recipe.model, OneStage)
    codec, head, losses = _on_branches(recipe.codec, recipe.name.endswith("-tiny"))
    return replace(recipe, codec=codec, model=replace(recipe.model, head=head), losses=losses)


def _on_branches(codec: Dekr, tiny: bool) -> tuple[Dekr, DekrBranches, dict[str, AnyLoss]]:
    # A focal loss weighs peaks and background itself.
    codec = replace(codec, activation="sigmoid", background=1.0)
    return codec, DekrBranches(width=8, blocks=1) if tiny else DekrBranches(), _losses(3.0, Qfl())


def dekr_first(skeleton: Skeleton, form: Form) -> Parts:
    """DEKR's first version: heatmaps at three dilations, which also feed the offsets; points snap to heatmap peaks."""
    # A smaller snap distance keeps nearby points apart on coarse maps; short runs need the offset weight of DEKR.
    near: dict[str, Any] = {"peak_window": 3, "snap_distance": 75.0 * _share(form) ** 0.5} if form.tiny else {}
    codec = DekrFirst(points=len(skeleton.points), grid=Grid.of(form.size, STRIDE), **_spreads(form), **near)
    head = DekrFirstHead(channels=16, width=32) if form.tiny else DekrFirstHead(channels=_channels(form))
    return Parts(
        codec=codec,
        model=_model(form, head),
        losses=_losses(0.03 if form.tiny else 0.01),
        nms=NMS(method="pose_distance", max_instances=30),
    )


def _losses(offsets: float, gaussians: Mse | Qfl | None = None) -> dict[str, AnyLoss]:
    """Losses with this weight of the offsets; unset: the published loss of the heatmaps."""
    return {
        "gaussians": gaussians or Mse(each_cell=True),
        "point_offsets": Offset(of="point_offsets", weight=offsets, smooth=1 / 9, mean="counted"),
    }


def _spreads(form: Form) -> dict[str, Any]:
    """Gaussian sizes, radius and smallest area, which the papers give for 512x512 images.

    In the tiny form's 256x256 images such wide Gaussians would overlap, so sizes are halved. The smallest area of the
    published code, 32x32 pixels, refers to COCO's original images (640 pixels); the codec counts pixels of the resized
    image. In the short training of the tiny form, offsets in cells would not reach their length, so their unit is
    several cells.
    """
    half = {"sigma": 4.0, "centre_sigma": 8.0, "radius": 8.0, "unit": UNIT} if form.tiny else {}
    return {"min_area": 32.0**2 * form.size[0] * form.size[1] / FILE**2, **half}


def _share(form: Form) -> float:
    """Number of pixels relative to a 512x512 image."""
    return form.size[0] * form.size[1] / 512**2


def _channels(form: Form) -> int:
    return form.backbone.width if isinstance(form.backbone, HRNet) else 32


def _model(form: Form, head: DekrHead | DekrBranches | DekrFirstHead) -> OneStage:
    backbone = form.backbone
    if isinstance(backbone, HRNet):
        backbone = replace(backbone, multi_scale=True)
    neck: Concat | Upsample | MoveNetFPN = Concat() if isinstance(backbone, HRNet) else Upsample()
    if isinstance(backbone, MoveNet):
        # Its pyramid is pretrained on people too.
        neck = MoveNetFPN()
    return OneStage(size=form.size, backbone=backbone, neck=neck, head=head, stride=STRIDE)
