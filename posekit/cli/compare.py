"""`posekit compare`: which representation suits your data and device, or which of several results is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from posekit.cli.kinds import Files, OneFile, Text, Texts
from posekit.data.source import Data

if TYPE_CHECKING:
    from posekit.evaluation.sets import Sets
    from posekit.recipe import Recipe

INIT = "body-crop-s"
"""Default initial weights."""


@dataclass(frozen=True)
class Options:
    """Compare representations on your data under an equal budget, or, with --results, results of any libraries.

    Without --results every method is trained with the same backbone, initial weights, order of images and schedule, and
    measured on the validation set with its exported file. With --results files of COCO results are compared on the
    images and instances that all of them have.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH [PATH ...]")]
    "label files: to train on, or, with --results, that the results are compared with"
    val: Files = ()
    "label files for validation; default: every tenth image of --data is held out"
    results: Files = ()
    "files of COCO results to compare, of any library; nothing is trained"
    names: Texts = ()
    "names of the results, as many as files; default: the files' names"
    on: str = "shared"
    """with --results: shared: images in which every file has a pose; all: every labelled image, where a file without a
    pose has missed all instances"""
    methods: Texts = ()
    "representations to compare, such as dark simcc rle; all: every 2-D one; default: nine usual ones"
    budget: Text = None
    "time for everything, such as 30m or 2h, turned into images by a short timing; default: 30m"
    images: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    "instead of a time: training images that each method sees"
    init: str = INIT
    "model that every training starts from, without its head; none: from scratch"
    size: Texts = ()
    "height and width of the crops; default: that of the recipes, 128 128"
    metric: Text = None
    "metric that ranks; default: the first that fits the skeleton and is not saturated"
    seed: int = 0
    "of the trainings and of the resampling"
    device: str = "cpu"
    "device of the trainings: cpu, cuda, auto"
    jobs: int = 1
    "trainings in parallel"
    ray: Text = None
    """instead of --jobs: run the trainings on a cluster of Ray (extra ray): its address, auto for the one that this
    machine belongs to, or local to start one here; all machines need posekit and the same paths"""
    folder: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
    "category to use, if a file has several"
    skeleton: Text = None
    "a known skeleton with the same number of points"
    pictures: bool = True
    "draw hard validation images into the page; --no-pictures for a page without images of the data, to share"
    out: OneFile = None
    "folder of the comparison; default: runs/compare, runs/compare-results; what is finished in it is kept"


def run(argv: Sequence[str]) -> int:
    """Compare and tell; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit compare")
    if options.results:
        _check_results(options)
        return _compare_results(options)
    if options.names or options.on != "shared":
        raise ValueError("--names and --on belong to --results FILE...")
    if options.budget and options.images is not None:
        raise ValueError("--budget is a time and --images a number of images: give one of them")
    return _compare_methods(options)


def _check_results(options: Options) -> None:
    """Refuse options of trainings beside results."""
    given = [name for name in ("methods", "budget", "images", "val", "size", "ray") if getattr(options, name)]
    if given:
        raise ValueError(f"--results compares files and trains nothing: leave out --{', --'.join(given)}")
    if options.on not in ("shared", "all"):
        raise ValueError(f"--on is shared or all; got {options.on!r}")


def _compare_results(options: Options) -> int:
    from posekit.studies.compare.results import compare_results

    source = Data(images=options.folder, category=options.category, skeleton=options.skeleton)
    compare_results(
        options.data,
        options.results,
        options.out or Path("runs/compare-results"),
        source=source,
        names=options.names,
        every=options.on == "all",
        metric=options.metric or "",
        seed=options.seed,
        say=print,
    )
    return 0


def _compare_methods(options: Options) -> int:
    from posekit.api.images_there import check_images
    from posekit.evaluation.sets import read_sets
    from posekit.studies.compare import plan as plans
    from posekit.studies.compare.run import compare

    methods = plans.chosen(options.methods)
    wanted = None if options.images is not None else plans.minutes(options.budget or "30m")
    data = Data(options.data, options.val, (), options.folder, options.category, options.skeleton)
    sets = read_sets(data)
    check_images(sets, data)
    recipes = _recipes(options, methods, sets, data)
    compare(
        recipes,
        sets,
        options.out or Path("runs/compare"),
        minutes=wanted,
        images=options.images,
        seed=options.seed,
        init=None if options.init == "none" else options.init,
        device=options.device,
        jobs=options.jobs,
        ray=options.ray,
        metric=options.metric or "",
        pictures=options.pictures,
        say=print,
    )
    return 0


def _recipes(options: Options, methods: Sequence[str], sets: Sets, data: Data) -> dict[str, Recipe]:
    """The recipe of each method, all with the same backbone, initial weights and metric."""
    from posekit.api.suited import suited
    from posekit.api.train import recipe_for

    made, told = {}, dict[str, None]()
    for method in methods:
        name = f"topdown-{method.replace('_', '-')}-tiny"
        recipe = recipe_for(name, sets.train.skeleton, size=options.size or None, metric=options.metric)
        # Heads differ between methods, so none starts from that of the initial model.
        recipe = replace(recipe, data=data, init=None if options.init == "none" else options.init, init_head=False)
        made[method], sentences = suited(recipe, sets)
        told |= dict.fromkeys(sentences)
    for sentence in (*sets.said, *told):
        print(sentence)
    return made
