"""`posekit eval --model RUN --data F`: how good a model is, in figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console

if TYPE_CHECKING:
    from posekit.data.dataset import Dataset
    from posekit.pipelines.views import Views
    from posekit.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """Measure a model on labelled images."""

    model: str
    "a run folder, a weights folder, or a hub id"
    data: tuple[Path, ...]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    metric: str | None = None
    "protocol that is printed first; default: the one the model was chosen by"
    flip_test: bool | None = None
    "average with the mirrored image; default: as in training"
    decode: tuple[str, ...] = ()
    "fields of the codec to read the same maps with, as field=value: refine=parabola, blur=60; default: as in training"
    zooms: tuple[float, ...] = ()
    "of models of whole images: sizes in which each image is shown, times that at which it fits; default: 1"
    tiles: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "of models of whole images: show tiles in the image's own size too"
    device: str = "cpu"
    "cpu, cuda, mps"
    json: Path | None = None
    "also write the figures to this file"
    calibrate: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """make scores probabilities: fit on half of the images (even numbers), report on the other half, and keep the
    result in the model's config.json; measured again on the same images, scores look better than they are"""
    within: float | None = None
    """with --calibrate: the error below which a point is right, in the unit of the metric; default: 0.1 of the box's
    longer side or of the distance of the eyes, 0.2 of the torso"""
    rank: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """of models of whole images: teach a small network, on every other image, which of the model's poses are good by
    their shape alone, report the AP on the other images, and keep it beside the model, which is ranked by it then"""


def run(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit eval")
    from posekit.pipelines.weights import load_weights
    from posekit.training.evaluate import average_precision, measure, scored_anew
    from posekit.training.tables import figures_table, points_table

    if options.within is not None and not options.calibrate:
        raise ValueError("--within says which points are right for a calibration: give --calibrate with it")
    weights = load_weights(options.model)
    if options.calibrate:
        from posekit.cli.calibrate import calibrate_and_tell, check_ours

        check_ours(options.model, weights.path)
    if options.rank:
        from posekit.cli.calibrate import check_ours
        from posekit.cli.rank import check_whole

        check_whole(weights.recipe)
        check_ours(options.model, weights.path, "a ranking")
    recipe, dataset = _asked(options, weights.recipe)
    net = weights.net.to(options.device)
    measured = measure(net, recipe, dataset, options.device, progress=True, views=_views(options, recipe))
    # Poses are ranked as they are when the model is used; a new ranking starts from the model's own scores.
    if weights.ranking is not None and not options.rank:
        measured = scored_anew(measured, weights.ranking, dataset)
    console = Console(highlight=False)
    console.print(f"{len(dataset)} instances, {weights.path}", markup=False, soft_wrap=True)
    # Instances are ranked by the scores that the model gives when it is used; a new calibration starts from raw ones.
    known = weights.calibration
    used = measured if known is None else replace(measured, score=known.apply(measured.score))
    # Of whole images it is among the figures; of crops it is that of given boxes.
    precision = {} if recipe.whole else average_precision(used, dataset)
    console.print(figures_table(measured, precision))
    console.print(points_table(measured, recipe.skeleton))
    told: dict[str, Any] = {
        "model": str(weights.path),
        "data": [str(f) for f in options.data],
        "figures": measured.figures | precision,
    }
    if options.calibrate:
        told["calibration"] = calibrate_and_tell(measured, dataset, weights.path, options.within, console)
    if options.rank:
        from posekit.cli.rank import rank_and_tell

        told["ranking"] = rank_and_tell(measured, dataset, weights.path, console)
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    return 0


def _views(options: Options, recipe: Recipe) -> Views | None:
    """How whole images are shown, where something else than once was asked for."""
    if not options.zooms and not options.tiles:
        return None
    if not recipe.whole:
        raise ValueError(f"{recipe.name} looks at one box at a time: leave out --zooms and --tiles")
    from posekit.pipelines.views import Views

    return Views(zooms=options.zooms or (1.0,), tiles=options.tiles)


def _asked(options: Options, recipe: Recipe) -> tuple[Recipe, Dataset]:
    """The model's recipe as the options change it, and the labelled images."""
    from posekit.recipe import Data, RecipeError, decoding
    from posekit.training.sets import read_set

    data = Data(images=options.images, category=options.category, skeleton=recipe.data.skeleton)
    dataset = read_set(data, options.data, "val")
    if dataset.skeleton.points != recipe.skeleton.points:
        raise RecipeError(
            f"the model finds {list(recipe.skeleton.points)}, the data labels {list(dataset.skeleton.points)}"
        )
    if options.flip_test is not None:
        recipe = replace(recipe, train=replace(recipe.train, flip_test=options.flip_test))
    if options.decode:
        recipe = decoding(recipe, options.decode)
    if options.metric is not None:
        recipe = replace(recipe, metric=options.metric)
    return recipe, dataset
