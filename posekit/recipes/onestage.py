"""One-stage recipes: full images, and a system of the field in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from posekit.codecs.any import AnyCodec
from posekit.geometry.framing import Letterbox
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import AnyLoss
from posekit.models.backbones.resnet import ResNet
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.upsample import Upsample
from posekit.models.onestage import OneStage
from posekit.models.topdown import AnyBackbone
from posekit.postprocess.suppress import NMS
from posekit.recipe import Recipe, RecipeError, Train
from posekit.recipes.topdown import Size, backbone_of
from posekit.validation import explain


@dataclass(frozen=True)
class Form:
    """What the plain and the tiny form of a recipe differ in."""

    size: Size
    backbone: AnyBackbone
    train: Train
    tiny: bool = False


@dataclass(frozen=True)
class Parts:
    """What a system is made of."""

    codec: AnyCodec
    model: OneStage
    losses: dict[str, AnyLoss]
    nms: NMS = field(default_factory=NMS)


System = Callable[[Skeleton, Form], Parts]
"""A system of the field: the skeleton and the form (with the size and the backbone asked for) to its parts."""

PLAIN = Form((512, 512), ResNet(depth=50), Train(epochs=140, batch=16, lr=5e-4, schedule="step"))
TINY = Form((256, 256), ResNet(depth=18, width=0.5), Train(epochs=60, batch=8, lr=1e-3), tiny=True)


def one_map(form: Form, stride: int) -> OneStage:
    """CenterNet's network: one fine map and a small branch for each that is wanted.

    Args:
        form: the light one grows the map, and reads it, with separable convolutions.
        stride: of the map.
    """
    neck = Upsample() if form.tiny else Deconv()
    head = Branches(separable=form.tiny)
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
        name: of the recipe.
        form: size, backbone and options.
        system: makes the parts.
        skeleton: of the user's points.
        size: (height, width) that images are fitted into, instead of the form's.
        stride: not for these; so are ``codec`` and ``losses``: a system brings its own.
        codec: see ``stride``.
        losses: see ``stride``.
        backbone: key of `BACKBONES`, or ``timm:NAME``, instead of the form's.

    Raises:
        RecipeError: something was asked for that the system settles itself, or the parts do not fit.
    """
    given = {"--stride": stride, "--codec": codec, "--loss": losses}
    if extra := [word for word, value in given.items() if value]:
        raise RecipeError(
            f"{name} brings its own maps and losses: leave out {', '.join(extra)}; their fields are set by "
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
