"""`posekit eval --model RUN --data F`: the metrics of a model on labelled images."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console

from posekit.cli.kinds import Choice, Number, Numbers, OneFile, Switch, Text, Texts
from posekit.data.known_skeletons import known_name
from posekit.engines.spec import InferenceSpec, known
from posekit.pipelines.predictor import PosePredictor
from posekit.words import plural
from posekit.zoo.catalogue import SHIPPED, default_model
from posekit.zoo.exported import exported_runtime
from posekit.zoo.folder import find_model, read_config, read_spec
from posekit.zoo.load import is_chain

if TYPE_CHECKING:
    from posekit.data.dataset import Dataset
    from posekit.evaluation.measure import Measured


@dataclass(frozen=True)
class Options:
    """Measure a model on labelled images."""

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH [PATH ...]")]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    model: Text = None
    """a run folder, a weights folder, a hub id, an exported file, or a model of posekit (`posekit models list`);
    FINDER+POSE for two in a row; default: people in full images, body-s+body-crop-s"""
    images: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
    "category to use, if a file has several"
    skeleton: Text = None
    "a known skeleton with the same number of points; default: as for the training data"
    metric: Text = None
    "main metric; default: the one that chose the best checkpoint"
    flip_test: Choice = None
    "flip test: average with the mirrored image; default: as in training"
    decode: Texts = ()
    "fields of the codec to change for decoding, as field=value: refine=parabola, blur=60; default: as in training"
    scales: Numbers = ()
    "one-stage models: scales of multi-scale testing; 1 fits the full image into the network input; default: 1"
    tiles: Switch = False
    "one-stage models: also cut the image, at its original size, into tiles"
    map_points: Switch = False
    "map the model's points to those of the data, by name and by stated rules (a neck is between the shoulders)"
    device: str = "auto"
    "auto (a GPU if there is one), cpu, cuda, mps"
    json: OneFile = None
    "also write the metrics to this .json file"
    errors: Switch = False
    """also tell kinds of errors apart, and what each costs: inaccurate, left and right mixed up, on another instance,
    missed"""
    calibrate: Switch = False
    """calibrate the scores: fit on images with even ids, report on those with odd ids, and save the calibration in the
    model's config.json; evaluate on other images afterwards, since these were used to fit"""
    within: Number = None
    """with --calibrate: a point is correct if its error is below this, in the unit of the metric; default: 0.1 of the
    longer side of the box or of the distance between the eyes, 0.2 of the torso"""
    rank: Switch = False
    """one-stage models: train a small network on half of the images to score poses by their shape, report the AP on the
    other half, and save it with the model, which then rescores all its poses with it"""


def run(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit status."""
    if argv and not argv[0].startswith("-"):
        option = "--data" if argv[0].lower().endswith((".json", ".yaml", ".yml", ".zip")) else "--model"
        print(f"posekit eval: unknown word {argv[0]!r}; did you mean {option} {argv[0]}?", file=sys.stderr)
        return 2
    options = tyro.cli(Options, args=list(argv), prog="posekit eval")
    if options.model is None:
        options = replace(options, model=default_model())
    assert options.model is not None
    from posekit.api.evaluate import Reading, evaluate, open_model, read_labels
    from posekit.evaluation.sets import warnings_of
    from posekit.evaluation.tables import figures_table, points_table

    if options.within is not None and not options.calibrate:
        raise ValueError("--within needs --calibrate: it says which points count as correct in the calibration")
    folder = None if is_chain(options.model) or exported_runtime(options.model) else find_model(options.model)
    if folder is None:
        _check_has_no_folder(options)
    else:
        _check_fits(options, read_spec(folder), folder)
    predictor = open_model(
        options.model,
        flip_test=options.flip_test,
        decode=options.decode,
        scales=options.scales or None,
        tiles=options.tiles,
        device=options.device,
        raw=options.calibrate or options.rank,
    )
    # Points that are mapped have the names of the data, not those of the training data.
    skeleton = options.skeleton or (None if options.map_points else _known_skeleton(options.model, folder, predictor))
    dataset = read_labels(options.data, Reading(options.images, options.category, skeleton))
    for sentence in warnings_of(dataset):
        print(f"posekit eval: {sentence}", file=sys.stderr)
    measured = evaluate(predictor, dataset, metric=options.metric or "", map_points=options.map_points, progress=True)
    console = Console(highlight=False)
    console.print(f"{plural(len(dataset), 'instance')}, {folder or options.model}", markup=False, soft_wrap=True)
    console.print(figures_table(measured))
    console.print(points_table(measured, dataset.skeleton if options.map_points else predictor.skeleton))
    told: dict[str, Any] = {
        "model": str(folder or options.model),
        "data": [str(f) for f in options.data],
        "figures": known(measured.figures),
    }
    if options.errors:
        told["errors"] = _tell_errors(measured, dataset, console)
    if options.calibrate and folder is not None:
        from posekit.cli.calibrate import calibrate_and_tell

        told["calibration"] = calibrate_and_tell(measured, dataset, folder, options.within, console)
    if options.rank and folder is not None:
        from posekit.cli.rank import rank_and_tell

        told["ranking"] = rank_and_tell(measured, dataset, folder, console)
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    return 0


def _tell_errors(measured: Measured, dataset: Dataset, console: Console) -> dict[str, Any]:
    """Print the kinds of errors, and return share and cost of each."""
    from posekit.evaluation.diagnosed import diagnosed
    from posekit.evaluation.tables import kinds_by_point_table, kinds_table

    diagnosis = diagnosed(measured, dataset)
    console.print(kinds_table(diagnosis))
    console.print(kinds_by_point_table(diagnosis, dataset.skeleton))
    return {"share": known(diagnosis.share()), "oks_lost": known(diagnosis.lost())}


def _check_has_no_folder(options: Options) -> None:
    """Refuse options that need the weights folder of one model."""
    if options.calibrate or options.rank or options.decode:
        what = "two models" if is_chain(str(options.model)) else "an exported file"
        raise ValueError(
            f"--calibrate, --rank and --decode need the weights folder of one model, and {options.model} is {what}"
        )


def _check_fits(options: Options, spec: InferenceSpec, folder: Path) -> None:
    """Refuse options that the model does not support, before any data is read."""
    if (options.calibrate or options.rank) and folder.resolve().is_relative_to(SHIPPED.resolve()):
        raise ValueError(
            f"--calibrate and --rank write into the model's folder, and {options.model} is part of the package: copy "
            f"{folder} and name the copy"
        )
    if (options.calibrate or options.rank) and options.map_points:
        raise ValueError("--calibrate and --rank fit the model's own points: leave out --map-points")
    if spec.needs_boxes and (options.scales or options.tiles):
        raise ValueError(f"{spec.name} works on crops around boxes: leave out --scales and --tiles")
    if options.calibrate or options.rank:
        from posekit.cli.calibrate import check_ours

        check_ours(str(options.model), folder, "a calibration" if options.calibrate else "a rescorer")
    if options.rank:
        from posekit.cli.rank import check_finds

        check_finds(spec)


def _known_skeleton(model: str, folder: Path | None, predictor: PosePredictor) -> str | None:
    """The known skeleton that the training data was read with, or whose points an exported file has; if any."""
    if folder is not None:
        name = read_config(folder).get("recipe", {}).get("data", {}).get("skeleton")
        return name if isinstance(name, str) else None
    if is_chain(model) or not exported_runtime(model):
        return None
    return known_name(predictor.skeleton)
