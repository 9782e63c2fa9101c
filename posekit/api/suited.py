"""Adapt a named recipe to a data set; each change is reported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from posekit.codecs.any import AnyCodec
from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.codecs.one_stage.movenet import MoveNetPose
from posekit.data.orientation import axis_agreement, lies_at_every_angle
from posekit.evaluation.measure import compared, mean_pose
from posekit.evaluation.sets import Sets
from posekit.models.topdown import without_weights
from posekit.recipe import Recipe
from posekit.recipes.dekr import with_branches
from posekit.training.initial_units import other_activation
from posekit.zoo.folder import IMAGENET, backbone_model, find_model
from posekit.zoo.weights import read_recipe

SATURATED = 0.6
"""If the mean pose scores higher than this, the metric is saturated and no longer separates good from bad models."""
FINER = ("pck@0.05", "nme_box")
"""Finer metrics to use instead: the first that is not saturated."""


KEPT = 0.3
"""Learning rate of a backbone that comes with an initial model, relative to that of the rest."""
TURNED_FROM = 20
"""Passes over the training images from which full rotation is worth its time where objects lie at every angle: after 3
on LSP extended, from MoveNet's weights, PCK@0.2 of the torso is 0.43 with it and 0.54 with 30 degrees."""
ON_HEATMAPS = frozenset({"heatmap", "logits"})
"""What losses on a head's heatmaps need."""
PRETRAINED = ("train.lr", "train.backbone_lr_mult", "train.freeze")
"""Training options that are worth a comparison with a pretrained backbone."""


def suited(recipe: Recipe, sets: Sets, given: Collection[str] = ()) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe adapted to its data, in the fields that the user did not set.

    It gets the network of the model that it starts from, and its losses if the head's outputs mean logits there and
    the map itself here, or the reverse; a ranking metric that is not saturated, and full rotation
    where objects lie at every angle and the run is not short. With a backbone that is pretrained on ImageNet a note
    names the training options to compare: they helped on some data only.

    Args:
        recipe: for the points of these sets, with the fields that the user set.
        sets: training and validation data.
        given: dotted names of the fields that the user set, such as ``train.lr``.

    Returns:
        The recipe, and notes: each change with its reason.
    """
    recipe, sentences = like_initial(recipe, given)
    recipe, matched = _with_losses_of_initial(recipe, given)
    sentences += matched
    if not recipe.one_stage and not recipe.metric:
        metric, why = unsaturated_metric(sets)
        if metric:
            recipe = replace(recipe, metric=metric)
            sentences.append(why)
    turned = {"augment.geometry.rotation", "augment.geometry.rotate_probability"} & set(given)
    if not recipe.one_stage and not turned and lies_at_every_angle(sets.train):
        agreement = axis_agreement(sets.train)[0]
        every = f"objects lie at every angle (their main axes agree by {agreement:.2f}; 1 is all parallel)"
        if recipe.train.epochs < TURNED_FROM:
            kept = recipe.augment.geometry.rotation
            sentences.append(
                f"{every}; {recipe.train.epochs} epochs are too few to learn them all by turning, so the random "
                f"rotation stays at {kept:g} degrees; --augment.geometry.rotation 180 for more"
            )
        else:
            geometry = replace(recipe.augment.geometry, rotation=180.0, rotate_probability=1.0)
            recipe = replace(recipe, augment=replace(recipe.augment, geometry=geometry))
            sentences.append(f"{every}: full random rotation; --augment.geometry.rotation 30 for less")
    if from_imagenet(recipe) and not recipe.one_stage and not set(PRETRAINED) & set(given):
        sentences.append(
            "backbone pretrained on ImageNet: the recipe trains all of it with the learning rate of the head; compare "
            "with --train.backbone-lr-mult 0.33, a higher --train.lr, and --train.freeze (docs/training.md)"
        )
    return recipe, tuple(sentences)


def like_initial(recipe: Recipe, given: Collection[str]) -> tuple[Recipe, list[str]]:
    """The recipe with backbone, neck and head of the model that it starts from.

    Args:
        recipe: with `init` set, or returned as it is.
        given: names that the user set: with ``backbone`` or a field of ``model`` among them the network stays.

    Returns:
        The recipe, and a note on what was taken over. Between crops and full images only backbone and neck are taken
        over; a model whose parts do not give the codec's maps leaves the recipe as it is.
    """
    if recipe.init is None:
        return _like_pretrained(recipe, given)
    if any(name == "backbone" or name.startswith("model.") for name in given):
        return recipe, []
    folder = find_model(recipe.init)
    source = read_recipe(folder)
    if source.model.backbone == recipe.model.backbone:
        return recipe, []
    parts: dict[str, Any] = {"backbone": without_weights(source.model.backbone)}
    mine = _with_head_of(source, recipe, given)
    own, theirs = mine.model, source.model
    ends = [(theirs.neck, theirs.head), (theirs.neck, own.head), (own.neck, own.head)]
    if type(theirs) is not type(own):
        # A head for crops finds no people.
        ends = ends[1:]
    if own.head.kind == "pooled":
        # The mean over a neck's few channels does not say where a point is; the backbone's last map has many.
        ends = [(neck, head) for neck, head in ends if neck.kind == "none"]
    for neck, head in ends:
        parts |= {"neck": neck, "head": head}
        if mine.one_stage and head.kind != own.head.kind:
            # Systems for full images differ in their heads: each keeps its own.
            continue
        try:
            like = replace(mine, model=replace(own, **parts), codec=_with_offsets_of(source, mine))
            with torch.device("meta"):
                like.build(weights=False)
        except (ValueError, RuntimeError):
            continue
        if "train.backbone_lr_mult" not in given:
            like = replace(like, train=replace(like.train, backbone_lr_mult=KEPT))
        return like, [
            f"network of {recipe.init}, so that its weights fit: backbone {source.model.backbone.kind}, neck "
            f"{like.model.neck.kind}, learning rate of the backbone x {like.train.backbone_lr_mult:g}; "
            "--backbone NAME takes another"
        ]
    return recipe, []


def _like_pretrained(recipe: Recipe, given: Collection[str]) -> tuple[Recipe, list[str]]:
    """The recipe with the backbone of the model that `model.backbone.weights` names.

    It stays where the user chose a backbone, or set another of its fields.
    """
    name = recipe.model.backbone.weights
    folder = backbone_model(name)
    own = {field for field in given if field == "backbone" or field.startswith("model.backbone.")}
    if folder is None or own - {"model.backbone.weights"}:
        return recipe, []
    source = read_recipe(folder).model.backbone
    made = replace(recipe, model=replace(recipe.model, backbone=replace(without_weights(source), weights=name)))
    if "train.backbone_lr_mult" not in given:
        made = replace(made, train=replace(made.train, backbone_lr_mult=KEPT))
    return made, [
        f"backbone {source.kind} of {name} with its weights, learning rate x {made.train.backbone_lr_mult:g}; --init "
        f"{name} takes neck and head as well where they fit"
    ]


def _with_losses_of_initial(recipe: Recipe, given: Collection[str]) -> tuple[Recipe, list[str]]:
    """The recipe with activation and losses of the model that it starts from, so that its head can be taken over.

    Only for crops, where the heatmaps of both differ in their activation and they have points in common. It stays where
    the user chose losses, an activation or a network of his own, or takes no head.
    """
    if recipe.init is None or recipe.one_stage or not recipe.init_head:
        return recipe, []
    if any(n in ("losses", "backbone", "codec.activation") or n.startswith(("losses.", "model.")) for n in given):
        return recipe, []
    folder = find_model(recipe.init)
    source = read_recipe(folder)
    both = other_activation(recipe, source)
    if both is None or source.one_stage or not set(source.skeleton.points) & set(recipe.skeleton.points):
        return recipe, []
    theirs = {name: loss for name, loss in source.losses.items() if loss.needs & ON_HEATMAPS}
    replaced = [name for name, loss in recipe.losses.items() if loss.needs & ON_HEATMAPS]
    codec = replace(cast(Any, recipe.codec), activation=both[1])
    if not theirs or not all(loss.needs <= codec.gives for loss in theirs.values()):
        return recipe, []
    # Losses on other outputs, such as the visibility of points, stay.
    others = {name: loss for name, loss in recipe.losses.items() if name not in replaced}
    return replace(recipe, codec=codec, losses={**theirs, **others}), [
        f"head of {recipe.init} gives heatmaps with activation {both[1]}, so --codec.activation {both[1]} and --loss "
        f"{' '.join(theirs)} as there, in place of {' '.join(replaced)}; --loss NAME takes another"
    ]


def _with_head_of(source: Recipe, recipe: Recipe, given: Collection[str]) -> Recipe:
    """The recipe, for DEKR with the head that can start from CenterNet's branches where the source has these.

    Codec and losses change with it, so it stays where the user set a field of them.
    """
    branches = source.one_stage and source.model.head.kind == "branches"
    chosen = any(name.startswith(("codec.", "losses.")) for name in given)
    return with_branches(recipe) if branches and recipe.codec.kind == "dekr" and not chosen else recipe


def _with_offsets_of(source: Recipe, recipe: Recipe) -> AnyCodec:
    """The recipe's codec, for CenterNet with as many sub-cell offsets as the source has."""
    codec, other = recipe.codec, source.codec
    if isinstance(codec, CenterPose) and isinstance(other, CenterPose | MoveNetPose):
        return replace(codec, offset_each=other.shapes["offset"][0] > 2)
    return codec


def from_imagenet(recipe: Recipe) -> bool:
    """Whether the backbone starts from ImageNet's weights."""
    backbone = recipe.model.backbone
    return backbone.weights == IMAGENET or bool(getattr(backbone, "pretrained", False))


def unsaturated_metric(sets: Sets) -> tuple[str, str]:
    """A finer metric than the default if the mean pose saturates that, and the reason; else empty."""
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), sets.val)
    if not measured.higher or not measured.value > SATURATED:
        return "", ""
    metric = next((name for name in FINER if not measured.figures[name] > SATURATED or name == FINER[-1]), FINER[-1])
    return metric, (
        f"a constant guess, the mean pose in each box, already reaches {measured.value:.2f} of {measured.main}, so the "
        f"best epoch is chosen by {metric}; --metric {measured.main} for the other"
    )
