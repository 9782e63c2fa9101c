"""Techniques for small networks, each a named change of a recipe; `posekit ablate` compares them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from posekit.codecs.visibility import VISIBILITY
from posekit.losses import LOSSES
from posekit.losses.any import match_activation
from posekit.losses.distillation import Okdhp, Teacher
from posekit.models.necks.guided import Guided
from posekit.models.rewrite.netaug import NetAug
from posekit.models.topdown import TopDown
from posekit.recipe import Recipe, RecipeError
from posekit.transforms.drop import Kind


@dataclass(frozen=True)
class Technique:
    """One technique.

    Args:
        about: short description.
        claim: gain that the authors report.
        change: function from a recipe and the argument (after the colon) to the recipe with the technique.
        takes: name of the argument, if the technique has one.
    """

    about: str
    claim: str
    change: Callable[[Recipe, str], Recipe]
    takes: str = ""


NONE = "no figures for poses"
"""Claim of techniques whose authors report no results for pose estimation."""


def _drop(kind: Kind) -> Callable[[Recipe, str], Recipe]:
    def change(recipe: Recipe, _: str) -> Recipe:
        drop = replace(recipe.augment.drop, probability=1.0, kind=kind, start=0.5)
        return replace(recipe, augment=replace(recipe.augment, drop=drop))

    return change


def _override(**fields: Any) -> Callable[[Recipe, str], Recipe]:
    return lambda recipe, _: replace(recipe, override=replace(recipe.override, **fields))


def _half_body(recipe: Recipe, _: str) -> Recipe:
    return replace(recipe, augment=replace(recipe.augment, geometry=replace(recipe.augment.geometry, half_body=0.3)))


def _guided(recipe: Recipe, _: str) -> Recipe:
    model = recipe.model
    if not isinstance(model, TopDown) or model.neck.kind == "none":
        raise RecipeError(f"guided upsampling replaces the neck of a top-down recipe, and {recipe.name} has none")
    return replace(recipe, model=replace(model, neck=Guided()))


def _okdhp(recipe: Recipe, _: str) -> Recipe:
    return replace(recipe, distill=_alone(recipe, Okdhp()))


def _teacher(recipe: Recipe, source: str) -> Recipe:
    return replace(recipe, distill=replace(_distillation_of(recipe, source), points=1.0))


def _clean(recipe: Recipe, source: str) -> Recipe:
    """Give labels that predictions contradict weight 0; on its own, it does not learn from the predictions."""
    return replace(recipe, distill=replace(_distillation_of(recipe, source), outliers=0.0))


def _distillation_of(recipe: Recipe, source: str) -> Teacher:
    """The recipe's distillation from the same source, or a new one whose loss weights are 0."""
    distillation = recipe.distill
    if isinstance(distillation, Teacher) and distillation.source == source:
        return distillation
    nothing: Teacher = _alone(recipe, Teacher(source, points=0.0))
    return nothing


def _alone(recipe: Recipe, distillation: Any) -> Any:
    if recipe.distill is not None:
        raise RecipeError(f"a recipe can have one distillation, and {recipe.name} already has {recipe.distill.kind!r}")
    return distillation


def _netaug(recipe: Recipe, _: str) -> Recipe:
    return replace(recipe, netaug=NetAug(expansions=(1.0, 1.6, 2.2, 2.8), widths=(1.0, 1.8, 2.6)))


def _beside(kind: str, **fields: Any) -> Callable[[Recipe, str], Recipe]:
    """Add a loss."""

    def change(recipe: Recipe, _: str) -> Recipe:
        return replace(recipe, losses={**recipe.losses, kind: LOSSES[kind](**fields)})

    return change


def _bone(recipe: Recipe, _: str) -> Recipe:
    """Add the loss of bone lengths in the unit of the recipe's own losses: pixels, or half the image, as DSNT's.

    In pixels it would be 64 times as large as DSNT's beside it, and points shrink to one.
    """
    in_pixels = any(loss.needs == {"xy"} for loss in recipe.losses.values())
    scale = 1.0 if in_pixels else max(recipe.size) / 2
    return _beside("bone", variant="length", scale=scale)(recipe, "")


def _instead(kind: str) -> Callable[[Recipe, str], Recipe]:
    """Replace all losses of the locations by one."""

    def change(recipe: Recipe, _: str) -> Recipe:
        losses: Any = {kind: LOSSES[kind]()}
        beside = {name: loss for name, loss in recipe.losses.items() if VISIBILITY in loss.needs}
        return replace(recipe, losses=losses | beside, codec=match_activation(recipe.codec, losses))

    return change


def _auto_weight(recipe: Recipe, _: str) -> Recipe:
    if len(recipe.losses) < 2:
        raise RecipeError(f"automatic loss weights need two losses or more, and {recipe.name} has one")
    return replace(recipe, auto_weight=replace(recipe.auto_weight, kind="liebel_koerner"))


TECHNIQUES: dict[str, Technique] = {
    "aid": Technique(
        "cutout (AID): hide an ellipse in the second half of the run",
        "COCO AP 77.2 to 77.9, HRNet-W32",
        _drop("cutout"),
    ),
    "hide_and_seek": Technique(
        "hide-and-seek: hide grid cells in the second half of the run",
        "COCO AP 67.0 to 68.4, bottom-up",
        _drop("hide_and_seek"),
    ),
    "grid_mask": Technique(
        "grid mask: hide a lattice of squares, second half of the run",
        "COCO AP 74.9 to 75.2, MMPose",
        _drop("grid_mask"),
    ),
    "half_body": Technique("crop to the upper or lower half of the body", NONE, _half_body),
    "silu": Technique("SiLU (Swish) in the backbone", NONE, _override(activation="silu")),
    "hardswish": Technique("hard Swish in the backbone", NONE, _override(activation="hardswish")),
    "mish": Technique("Mish in the backbone", NONE, _override(activation="mish")),
    "frelu": Technique("FReLU in the backbone", NONE, _override(activation="frelu")),
    "meta_acon": Technique("Meta-ACON in the backbone", NONE, _override(activation="meta_acon")),
    "dynamic": Technique("dynamic convolutions in the backbone", "COCO AP +2.9", _override(convolution="dynamic")),
    "condconv": Technique("conditional convolutions in the backbone", NONE, _override(convolution="condconv")),
    "guided": Technique("upsampling by pixel-adaptive convolutions", NONE, _guided),
    "okdhp": Technique("online distillation between three heads (OKDHP)", "MPII PCKh 90.0 with four stacks", _okdhp),
    "netaug": Technique(
        "network augmentation: also train wider backbones (NetAug)", "ImageNet top-1 up to +2.2", _netaug
    ),
    "bone": Technique("bone length loss in addition", NONE, _bone),
    "auto_weight": Technique("learnt weights of the losses", NONE, _auto_weight),
    "qfl": Technique("quality focal loss instead of the recipe's losses", NONE, _instead("qfl")),
    "eqfl": Technique("equalized quality focal loss instead of the recipe's losses", NONE, _instead("eqfl")),
    "teacher": Technique("distillation from a trained model or predictions", NONE, _teacher, "SOURCE"),
    "clean": Technique("ignore labels that predictions contradict", NONE, _clean, "FILE.json"),
}
"""Techniques by name. Claims are from the papers, on their data and networks."""


def with_techniques(recipe: Recipe, *words: str) -> Recipe:
    """Copy of a recipe with some techniques.

    Args:
        recipe: recipe without them.
        words: keys of `TECHNIQUES`; those with an argument are written ``name:argument``.

    Raises:
        RecipeError: an unknown name, a missing argument, or a technique that does not fit the recipe.
    """
    for word in words:
        name, _, argument = word.partition(":")
        if name not in TECHNIQUES:
            near = difflib.get_close_matches(name, TECHNIQUES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RecipeError(f"no technique {name!r}{hint} (known: {', '.join(TECHNIQUES)})")
        takes = TECHNIQUES[name].takes
        if bool(takes) != bool(argument):
            raise RecipeError(f"technique {name!r} is written {name}{':' + takes if takes else ''}; got {word!r}")
        try:
            recipe = TECHNIQUES[name].change(recipe, argument)
        except ValueError as error:
            raise RecipeError(f"technique {name!r} does not fit {recipe.name}: {error}") from None
    return recipe
