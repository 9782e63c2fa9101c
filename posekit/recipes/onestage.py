"""One-stage recipes: systems for full images with many instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from posekit.codecs.any import AnyCodec
from posekit.geometry.framing import Letterbox
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import AnyLoss
from posekit.models.backbones.movenet import MoveNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.upsample import Upsample
from posekit.models.onestage import OneStage
from posekit.models.topdown import AnyBackbone
from posekit.postprocess.suppress import NMS
from posekit.recipe import Recipe, RecipeError, Train
from posekit.recipes.topdown import Size, backbone_of
from posekit.validation import explain


@dataclass(frozen=True)
class Form:
    """Size, backbone and training options of the plain or the tiny form of a recipe."""

    size: Size
    backbone: AnyBackbone
    train: Train
    tiny: bool = False


@dataclass(frozen=True)
class Parts:
    """Parts of a one-stage system."""

    codec: AnyCodec
    model: OneStage
    losses: dict[str, AnyLoss]
    nms: NMS = field(default_factory=NMS)


System = Callable[[Skeleton, Form], Parts]
"""A one-stage system: a function from skeleton and form to its parts."""

PLAIN = Form((512, 512), ResNet(depth=50), Train(epochs=140, batch=16, lr=5e-4, schedule="step"))
TINY = Form((256, 256), ResNet(depth=18, width=0.5), Train(epochs=60, batch=8, lr=1e-3), tiny=True)
MOVENET_CHANNELS = 96
"""Of MoveNet's heads."""


def one_map(form: Form, stride: int) -> OneStage:
    """CenterNet's network: one fine map, and a small branch for each output map.

    Args:
        form: the tiny form has separable convolutions in neck and head; on MoveNet's backbone neck and head are
            MoveNet's in both forms, so that they can start from its weights.
        stride: stride of the map in pixels.
    """
    neck: Upsample | Deconv | MoveNetFPN = Upsample() if form.tiny else Deconv()
    head = Branches(separable=form.tiny)
    if isinstance(form.backbone, MoveNet):
        neck, head = MoveNetFPN(), Branches(channels=MOVENET_CHANNELS, separable=True)
    return OneStage(size=form.size, backbone=form.backbone, neck=neck, head=head, stride=stride)


def onestage(
    name: str,
    form: Form,
    system: System,
    skeleton: Skeleton,
    *,
    size: Size | None = None,
    stride: int | None = None,
    codec: str | None = None,
    losses: Sequence[str] | None = None,
    backbone: str | None = None,
) -> Recipe:
    """A one-stage recipe.

    Args:
        name: name of the recipe.
        form: size, backbone and training options.
        system: function that makes the parts.
        skeleton: skeleton of the data.
        size: (height, width) that images are resized into, instead of the form's.
        stride: not supported: the system determines it, and also ``codec`` and ``losses``.
        codec: see ``stride``.
        losses: see ``stride``.
        backbone: key of `BACKBONES`, or ``timm:NAME``, instead of the form's.

    Raises:
        RecipeError: an option was given that the system determines itself, or the parts do not fit.
    """
    given = {"--stride": stride, "--codec": codec, "--loss": losses}
    if extra := [word for word, value in given.items() if value]:
        raise RecipeError(
            f"{name} has its own codec and losses: leave out {', '.join(extra)}; their options are "
            "--codec.FIELD and --losses.NAME.FIELD"
        )
    form = Form(size or form.size, backbone_of(backbone) or form.backbone, form.train, form.tiny)
    try:
        parts = system(skeleton, form)
        return Recipe(
            name=name,
            skeleton=skeleton,
            codec=parts.codec,
            model=parts.model,
            losses=parts.losses,
            framing=Letterbox(),
            nms=parts.nms,
            train=form.train,
        )
    except ValidationError as error:
        raise RecipeError(explain(error)) from None
