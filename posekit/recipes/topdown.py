"""Top-down recipes: one crop for each instance, one recipe for each representation.

Every recipe is a function of the skeleton. The plain form is for a GPU (ResNet-50, 256x192), `-tiny` for a CPU.
Within a form recipes differ only in representation, head and loss, so that representations can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses import LOSSES
from posekit.losses.any import by_name, match_activation
from posekit.models.backbones import BACKBONES
from posekit.models.backbones.resnet import ResNet
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.topdown import AnyBackbone, AnyNeck, TopDown
from posekit.recipe import Recipe, RecipeError, Train
from posekit.recipes.representations import REPRESENTATIONS
from posekit.validation import explain
from posekit.words import nearest

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Form:
    """Size, backbone, neck and training options of the plain or the tiny form of a recipe."""

    size: Size
    backbone: AnyBackbone
    neck: AnyNeck
    train: Train


PLAIN = Form((256, 192), ResNet(depth=50), Deconv(), Train(epochs=210, lr=5e-4, schedule="step"))
TINY = Form((128, 128), ResNet(depth=18, width=0.5), Upsample(), Train(epochs=60, lr=2e-3, batch=16))
STRIDE = 4
"""Stride of the maps in pixels."""


def _refuse_unknown(what: str, asked: Sequence[str], known: Iterable[str]) -> None:
    """Raise for the first unknown name, and suggest the nearest known one."""
    for word in asked:
        if word not in (names := list(known)):
            raise RecipeError(nearest(word, names, what))


def backbone_of(name: str | None) -> AnyBackbone | None:
    """The backbone of that name with default options; change them by ``--model.backbone...``."""
    if name is None:
        return None
    kind, _, which = name.partition(":")
    _refuse_unknown("backbone", [kind], BACKBONES)
    backbone: AnyBackbone = BACKBONES[kind](name=which) if which else BACKBONES[kind]()
    return backbone


def topdown(
    name: str,
    form: Form,
    representation: str,
    skeleton: Skeleton,
    *,
    size: Size | None = None,
    stride: int | None = None,
    codec: str | None = None,
    losses: Sequence[str] | None = None,
    backbone: str | None = None,
) -> Recipe:
    """A top-down recipe.

    Args:
        name: name of the recipe.
        form: size, network and training options.
        representation: key of `REPRESENTATIONS`.
        skeleton: skeleton of the data.
        size: (height, width) of the crops instead of the form's.
        stride: stride of the maps in pixels.
        codec: another representation instead of the recipe's.
        losses: names in `LOSSES` instead of the representation's.
        backbone: key of `BACKBONES`, or ``timm:NAME``, instead of the form's.

    Raises:
        RecipeError: an unknown codec, loss or backbone, or a loss that does not fit the codec.
        ValueError: the stride does not divide the size, or a loss is named twice.
    """
    _refuse_unknown("codec", [codec or representation], REPRESENTATIONS)
    _refuse_unknown("loss", losses or [], LOSSES)
    chosen = REPRESENTATIONS[codec or representation]
    size = size or form.size
    grid = Grid.of(image=size, stride=stride or chosen.stride or STRIDE)
    made = chosen.codec(skeleton, grid)
    model = TopDown(
        size=size,
        backbone=backbone_of(backbone) or form.backbone,
        neck=form.neck if chosen.neck else Plain(),
        head=chosen.head,
    )
    named = by_name(losses or [name for name in chosen.losses if LOSSES[name]().needs <= made.gives])
    try:
        return Recipe(
            name=name,
            skeleton=skeleton,
            codec=match_activation(made, named),
            model=model,
            losses=named,
            train=form.train,
        )
    except ValidationError as error:
        raise RecipeError(explain(error)) from None
