"""`posekit.train`: labelled images to a trained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from posekit.api.images_there import check_images
from posekit.api.run_folder import run_folder
from posekit.api.suited import suited
from posekit.data.source import Data
from posekit.evaluation.measure import Measured, measure
from posekit.evaluation.sets import Sets, read_set, read_sets
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.losses.distillation import Okdhp, Teacher
from posekit.pipelines.predictor import Images, PosePredictor
from posekit.recipe import Recipe, RecipeError, Train, changed, load
from posekit.recipes import RECIPES
from posekit.recipes.visibility import with_visibility
from posekit.training.run import train as train_run
from posekit.training.visibility import check_visibility
from posekit.validation import explain
from posekit.words import nearest
from posekit.zoo.load import load as load_model


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training.

    Args:
        folder: of the run; ``best`` in it is the model.
        recipe: that was trained.
        measured: the best weights on the validation set; ``None`` on processes that do not measure.
    """

    folder: Path
    recipe: Recipe
    measured: Measured | None

    @cached_property
    def predictor(self) -> PosePredictor:
        """The best weights, ready to be called with images."""
        return load_model(self.folder)

    def predict(self, images: Images, boxes: Any = None) -> list[Poses]:
        """Poses in images; see `posekit.load`."""
        return self.predictor(images, boxes)

    def evaluate(self, data: str | Path | Sequence[str | Path], **reading: Any) -> Measured:
        """Metrics of the best weights on labelled images; see `posekit.evaluate`."""
        files = [data] if isinstance(data, str | Path) else list(data)
        source = Data(**{"skeleton": self.recipe.data.skeleton, **reading})
        return measure(self.predictor, read_set(source, [Path(file) for file in files], "val"))


def train(
    recipe: str | Path | Recipe,
    data: str | Path | Sequence[str | Path] | None = None,
    *,
    val: str | Path | Sequence[str | Path] = (),
    people: str | Path | Sequence[str | Path] = (),
    images: str | Path | None = None,
    category: str | None = None,
    skeleton: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    resume: bool = False,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
    **asked: Any,
) -> Run:
    """Train a model on labelled images.

    Args:
        recipe: name of a recipe (`posekit.recipes.RECIPES`), a ``recipe.json`` to repeat, or a `Recipe`.
        data: label files to train on: COCO JSON, YOLO data.yaml, or a pack; ``None``: those of the recipe.
        val: label files for validation; none: every tenth image is held out.
        people: label files of single people to paste into full images.
        images: folder of the images, if they are not where the label file says.
        category: category to use, if a file has several.
        skeleton: name of a known skeleton with the same number of points.
        out: folder of the run; ``None``: ``runs/RECIPE-N``.
        device: "auto", "cpu", "cuda", "mps".
        resume: continue from the newest checkpoint in ``out``.
        options: fields of the recipe by dotted name: ``{"train.epochs": 20, "codec.sigma": 12}``.
        say: prints a line.
        asked: ``size`` (a number for a square, or height and width), ``stride``, ``codec``, ``losses``, ``backbone``,
            ``metric`` and ``distill`` of a named recipe, and ``visibility`` (True: also learn which points are hidden).

    Returns:
        The run: its folder, its figures (``.measured.figures``), and the model (``.predict``, ``.evaluate``).

    Raises:
        DataError: the data is invalid.
        RecipeError: the recipe does not exist, contradicts itself, or does not fit the data.

    >>> run = posekit.train("topdown-dark-tiny", "labels.json", options={"train.epochs": 20})   # doctest: +SKIP
    """
    options = options or {}
    _check_names(asked, options)
    source = _data(recipe, data, val, people, images, category, skeleton)
    sets = read_sets(source)
    check_images(sets, source)
    made = changed(with_data(recipe_for(recipe, sets.train.skeleton, **asked), source), options)
    if isinstance(recipe, str) and not recipe.endswith(".json"):
        made, sentences = suited(made, sets, {*options, *asked})
        sets = replace(sets, said=(*sets.said, *sentences))
    return train_recipe(made, sets, None if out is None else Path(out), device=device, resume=resume, say=say)


ASKED = ("size", "stride", "codec", "losses", "backbone", "metric", "distill", "visibility")
"""What may be asked of a named recipe."""


def _check_names(asked: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse unknown arguments, and fields of the recipe given as arguments or the reverse.

    Raises:
        RecipeError: the message says what to write instead.
    """
    for name in asked:
        if name in ASKED:
            continue
        same = {"imgsz": "size", "loss": "losses", "batch_size": "batch", "learning_rate": "lr"}.get(name, name)
        if same in Train.__dataclass_fields__:
            hint = f'; did you mean options={{"train.{same}": {asked[name]!r}}}?'
        else:
            near = get_close_matches(same, (*ASKED, *signature(train).parameters), 1)
            hint = f"; did you mean {near[0]}={asked[name]!r}?" if near else f"; known: {', '.join(ASKED)}"
        raise RecipeError(f"train has no argument {name!r}{hint}")
    for name in options:
        if name in ("size", "stride", "backbone") or (
            name in ("codec", "losses") and not isinstance(options[name], dict)
        ):
            raise RecipeError(f"options: {name!r} is an argument of its own: {name}={options[name]!r}")


def _data(
    recipe: str | Path | Recipe, data: Any, val: Any, people: Any, images: Any, category: Any, skeleton: Any
) -> Data:
    if data is None:
        known = recipe if isinstance(recipe, Recipe) else load(Path(recipe)) if str(recipe).endswith(".json") else None
        return Data() if known is None else known.data
    train, val, people = (
        tuple(map(Path, [files] if isinstance(files, str | Path) else files)) for files in (data, val, people)
    )
    folder = None if images is None else Path(images)
    return Data(train=train, val=val, people=people, images=folder, category=category, skeleton=skeleton)


def size_of(size: Any) -> tuple[int, int]:
    """(height, width) of a size as users give it: one number for a square, or two.

    Args:
        size: such as 192, ``"192"``, (256, 192), ``["256", "192"]`` or ``"256x192"``.

    Raises:
        RecipeError: anything else.
    """
    parts = size.lower().split("x") if isinstance(size, str) else size if isinstance(size, Sequence) else [size]
    if len(parts) == 1 and isinstance(parts[0], str):
        parts = parts[0].lower().split("x")
    try:
        numbers = [int(part) for part in parts if not isinstance(part, float) or part == int(part)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != len(parts) or len(numbers) not in (1, 2) or min(numbers) < 1:
        got = " ".join(map(str, parts))
        raise RecipeError(f"size takes one number (a square) or height and width in pixels, such as 256 192; got {got}")
    return numbers[0], numbers[-1]


def recipe_for(
    recipe: str | Path | Recipe,
    skeleton: Skeleton,
    *,
    distill: str | None = None,
    metric: str | None = None,
    visibility: bool = False,
    **asked: Any,
) -> Recipe:
    """A recipe for given points.

    Args:
        recipe: name, ``recipe.json``, or a `Recipe`.
        skeleton: of the data.
        distill: ``"okdhp"``, a trained model, or a .json of predictions: the teacher of a distillation.
        metric: the metric that decides which epoch is the best.
        visibility: also learn which points are hidden; see `posekit.recipes.visibility.with_visibility`.
        asked: ``size``, ``stride``, ``codec``, ``losses``, ``backbone`` of a named recipe.

    Raises:
        RecipeError: no such recipe, one for other points, or visibility asked of a model of full images.
    """
    asked = {name: value for name, value in asked.items() if value is not None}
    if "size" in asked:
        asked["size"] = size_of(asked["size"])
    if isinstance(recipe, Recipe) or str(recipe).endswith(".json"):
        if asked:
            raise RecipeError(
                f"{', '.join(asked)} fit a named recipe only; {recipe!s:.60} is complete: change its fields"
            )
        made = recipe if isinstance(recipe, Recipe) else load(Path(recipe))
        if made.skeleton.points != skeleton.points:
            raise RecipeError(
                f"{recipe!s:.60} is for points {list(made.skeleton.points)}, the data has {list(skeleton.points)}"
            )
    elif recipe not in RECIPES:
        raise RecipeError(nearest(str(recipe), list(RECIPES), "recipe"))
    else:
        made = RECIPES[str(recipe)](skeleton, **asked)
    if visibility:
        made = with_visibility(made)
    if metric is not None:
        try:
            made = replace(made, metric=metric)
        except ValidationError as error:
            raise RecipeError(explain(error)) from None
    if distill is None:
        return made
    return replace(made, distill=Okdhp() if distill == "okdhp" else Teacher(distill))


def with_data(recipe: Recipe, data: Data) -> Recipe:
    """The recipe with its data; people are pasted into half of the images unless the recipe says otherwise.

    Raises:
        RecipeError: there are people to paste and no full images.
    """
    recipe = replace(recipe, data=data)
    if not data.people:
        return recipe
    if not recipe.one_stage:
        raise RecipeError(f"{recipe.name} trains on crops: leave out --data.people, which are pasted into full images")
    scene = recipe.augment.scene
    if scene.paste:
        return recipe
    return replace(recipe, augment=replace(recipe.augment, scene=replace(scene, paste=0.5)))


def train_recipe(
    recipe: Recipe,
    sets: Sets,
    out: Path | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> Run:
    """Train a recipe on data sets; see `train`.

    Raises:
        DataError: the recipe learns which points are hidden, and the training set has only hidden or only seen ones.
    """
    sets = replace(sets, said=(*sets.said, *check_visibility(recipe, sets)))
    with run_folder(recipe, sets.said, out, resume=resume, say=say) as (folder, tell):
        measured = train_run(recipe, folder, sets, device=device, resume=resume, say=tell)
    return Run(folder, recipe, measured)
