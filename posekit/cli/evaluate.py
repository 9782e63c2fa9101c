"""`posekit eval --model RUN --data F`: how good a model is, in figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from posekit.engines.spec import InferenceSpec, known
from posekit.zoo.folder import find_model, read_config, read_spec


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
    skeleton: str | None = None
    "a known skeleton with as many points; default: as the model's own data was read"
    metric: str | None = None
    "protocol that is printed first; default: the one the model was chosen by"
    flip_test: bool | None = None
    "average with the mirrored image; default: as in training"
    decode: tuple[str, ...] = ()
    "fields of the codec to read the same maps with, as field=value: refine=parabola, blur=60; default: as in training"
    scales: tuple[float, ...] = ()
    "of models of full images: sizes in which each image is shown, times that at which it fits; default: 1"
    tiles: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "of models of full images: show tiles in the image's own size too"
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
    """of models of full images: train a small network, on every other image, to tell good poses by their shape alone,
    report the AP on the other images, and keep it with the model, whose poses are rescored by it from then on"""


def run(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit eval")
    from posekit.api.evaluate import Reading, evaluate, open_model, read_labels
    from posekit.evaluation.sets import warnings_of
    from posekit.evaluation.tables import figures_table, points_table

    if options.within is not None and not options.calibrate:
        raise ValueError("--within says which points are right for a calibration: give --calibrate with it")
    folder = find_model(options.model)
    spec = read_spec(folder)
    _check_fits(options, spec, folder)
    skeleton = options.skeleton or _known_skeleton(folder)
    dataset = read_labels(options.data, Reading(options.images, options.category, skeleton))
    predictor = open_model(
        options.model,
        flip_test=options.flip_test,
        decode=options.decode,
        scales=options.scales or None,
        tiles=options.tiles,
        device=options.device,
        raw=options.calibrate or options.rank,
    )
    for sentence in warnings_of(dataset):
        print(f"posekit eval: {sentence}", file=sys.stderr)
    measured = evaluate(predictor, dataset, metric=options.metric or "", progress=True)
    console = Console(highlight=False)
    console.print(f"{len(dataset)} instances, {folder}", markup=False, soft_wrap=True)
    console.print(figures_table(measured))
    console.print(points_table(measured, spec.skeleton))
    told: dict[str, Any] = {
        "model": str(folder),
        "data": [str(f) for f in options.data],
        "figures": known(measured.figures),
    }
    if options.calibrate:
        from posekit.cli.calibrate import calibrate_and_tell

        told["calibration"] = calibrate_and_tell(measured, dataset, folder, options.within, console)
    if options.rank:
        from posekit.cli.rank import rank_and_tell

        told["ranking"] = rank_and_tell(measured, dataset, folder, console)
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    return 0


def _check_fits(options: Options, spec: InferenceSpec, folder: Path) -> None:
    """Refuse what the model cannot do before anything is read."""
    if spec.needs_boxes and (options.scales or options.tiles):
        raise ValueError(f"{spec.name} looks at one box at a time: leave out --scales and --tiles")
    if options.calibrate or options.rank:
        from posekit.cli.calibrate import check_ours

        check_ours(options.model, folder, "a calibration" if options.calibrate else "a rescorer")
    if options.rank:
        from posekit.cli.rank import check_finds

        check_finds(spec)


def _known_skeleton(folder: Path) -> str | None:
    """The known skeleton that the model's own data was read with, if it was."""
    name = read_config(folder).get("recipe", {}).get("data", {}).get("skeleton")
    return name if isinstance(name, str) else None
