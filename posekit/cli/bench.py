"""`posekit bench --model A B --images F`: time of each stage, cold start, memory, size and accuracy of models."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from posekit.cli.kinds import Files, OneFile, Switch, Text
from posekit.extras import installed_version
from posekit.words import plural

if TYPE_CHECKING:
    from posekit.data.dataset import Dataset
    from posekit.pipelines.predictor import PosePredictor
    from posekit.studies.bench import Candidate

Rows = dict[str, dict[str, Any]]
"""Results by model."""

WIDE = 160
"""Characters of a line where the output is no terminal."""
MOST = 16
"""Largest number of images that are timed."""
PACKAGES = ("posekit", "numpy", "opencv-python-headless", "onnxruntime", "openvino", "torch")


@dataclass(frozen=True)
class Options:
    """Time models side by side: every image by every model in each round, so that other load affects all alike."""

    model: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")]
    "models: what `posekit predict` takes; a runtime may follow after a colon, as body-crop-s:torch"
    photos: Files = ()
    "images or folders to time on; default: the images of --data"
    data: Files = ()
    "label files: crops of these boxes are timed, and the accuracy of the same models is measured"
    images: OneFile = None
    "folder of the images of --data, if they are not where the label file says"
    category: Text = None
    "category to use, if a label file has several"
    skeleton: Text = None
    "a known skeleton with the same number of points, for label files without names"
    rounds: int = 20
    "timed rounds over all images"
    batch: int = 1
    "images in a call; times are those of one image"
    threads: int = 1
    "threads of the network"
    device: str = "cpu"
    "cpu, cuda, ..."
    most: int = MOST
    "largest number of images that are timed"
    no_accuracy: Switch = False
    "with --data: leave out the measurement of accuracy"
    json: OneFile = None
    "also write all figures to this .json file"
    plot: OneFile = None
    "also draw accuracy against time to this .svg file"


def run(argv: Sequence[str]) -> int:
    """Time and print; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit bench")
    _check(options)
    # Read by the runtimes when they start, also in the new processes of the cold starts.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    from posekit.studies.bench import candidate, cold_start, size_on_disk, summary
    from posekit.studies.bench import run as timed

    named = [_split(text) for text in options.model]
    candidates = [candidate(model, runtime, options.threads, options.device) for model, runtime in named]
    _limit_torch(options.threads)
    dataset = _labels(options, candidates)
    files, boxes = _images(options, dataset)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("timing", total=None)
        timed(
            candidates,
            files,
            boxes,
            options.rounds,
            options.batch,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    rows: Rows = {}
    for one, (model, runtime) in zip(candidates, named, strict=True):
        rows[one.name] = {
            **summary(one),
            "cold_start": cold_start(model, runtime, options.threads, options.device),
            "MB_on_disk": round(size_on_disk(model, runtime) / 1e6, 2),
            **({} if dataset is None or options.no_accuracy else _accuracy(one.predictor, dataset)),
        }
    console.print(_table(rows))
    console.print(
        f"milliseconds of an image, median of {plural(options.rounds, 'round')} over {plural(len(files), 'image')}, "
        f"batch {options.batch}, {plural(options.threads, 'thread')}, {options.device}; first: seconds from the first "
        "import to the first poses",
        soft_wrap=True,
    )
    _write(options, rows, len(files))
    return 0


def _check(options: Options) -> None:
    """Refuse options without a meaning, before any model is loaded."""
    if not options.photos and not options.data:
        raise ValueError("give images to time on (--photos FOLDER), or labelled ones (--data LABELS)")
    if min(options.rounds, options.batch, options.threads, options.most) < 1:
        raise ValueError("--rounds, --batch, --threads and --most are at least 1")
    if twice := [name for name in options.model if options.model.count(name) > 1]:
        raise ValueError(f"--model {twice[0]} is named twice")
    if options.plot is not None and options.plot.suffix.lower() != ".svg":
        raise ValueError(f"--plot {options.plot}: expected a file that ends in .svg")
    if options.plot is not None and (not options.data or options.no_accuracy):
        raise ValueError("--plot draws accuracy against time: give labelled images (--data), without --no-accuracy")
    for file in (options.json, options.plot):
        if file is not None and not file.resolve().parent.is_dir():
            raise ValueError(f"{file}: there is no folder {file.parent}")


def _split(text: str) -> tuple[str, Literal["auto", "torch", "onnx", "openvino"]]:
    """A model and the runtime behind its colon."""
    for runtime in ("torch", "onnx", "openvino"):
        if text.endswith(f":{runtime}"):
            return text.removesuffix(f":{runtime}"), runtime
    return text, "auto"


def _limit_torch(threads: int) -> None:
    """Set torch's threads, if a model has imported it."""
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _labels(options: Options, candidates: Sequence[Candidate]) -> Dataset | None:
    """The labelled images; refused before the timing if a model finds other points.

    Raises:
        DataError: no labelled instance, or other points than those of a model.
    """
    if not options.data:
        return None
    from posekit.api.evaluate import Reading, check_points, read_labels

    dataset = read_labels(list(options.data), Reading(options.images, options.category, options.skeleton))
    for one in candidates:
        check_points(one.predictor, dataset)
    return dataset


def _images(options: Options, dataset: Dataset | None) -> tuple[list[Path], dict[Path, NDArray[np.float64]] | None]:
    """Image files, and the boxes of their labels."""
    from posekit.data.image_files import image_files
    from posekit.exporting.images import spread

    if options.photos or dataset is None:
        return image_files(options.photos)[: options.most], None
    numbers = spread(np.unique(dataset.image[dataset.rows]), options.most)
    if any(dataset.images[number].load is not None for number in numbers):
        raise ValueError("a pack has no image files, whose reading is timed too: give --photos, or another label file")
    rows = {number: dataset.rows[dataset.image[dataset.rows] == number] for number in numbers.tolist()}
    boxes = {Path(dataset.images[number].path): dataset.boxes[own] for number, own in rows.items()}
    return list(boxes), boxes


def _accuracy(predictor: PosePredictor, dataset: Dataset) -> dict[str, Any]:
    """Metrics of the same model on the labelled images."""
    from posekit.api.evaluate import evaluate

    measured = evaluate(predictor, dataset, progress=True)
    names = dict.fromkeys(name for name in ("AP", measured.main, "pck@0.05") if name in measured.figures)
    return {"accuracy": {name: round(float(measured.figures[name]), 4) for name in names}}


def _metric(rows: Rows) -> str:
    """The first metric that all models have; empty if there is none."""
    each = [row.get("accuracy", {}) for row in rows.values()]
    return next((name for name in each[0] if all(name in one for one in each)), "")


def _table(rows: Rows) -> Table:
    from posekit.studies.bench import STAGES

    metric = _metric(rows)
    table = Table("model", *STAGES, "all", "95 %", "images/s", "first", "MB memory", "MB file", metric or "accuracy")
    for name, row in rows.items():
        median = row["median_ms"]
        table.add_row(
            name,
            *(f"{median[stage]:.1f}" for stage in (*STAGES, "all")),
            f"{row['p95_ms']['all']:.1f}",
            f"{row['images_per_second']:.1f}",
            f"{row['cold_start']['wall_s']:.2f}",
            f"{row['cold_start']['peak_MB']:.0f}",
            f"{row['MB_on_disk']:.1f}",
            f"{row['accuracy'][metric]:.3f}" if metric else "",
        )
    return table


def _write(options: Options, rows: Rows, images: int) -> None:
    """Write the JSON file and the plot."""
    if options.json is not None:
        document = {
            "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} CPUs",
            "versions": {name: installed_version(name) for name in PACKAGES},
            "threads": options.threads,
            "batch": options.batch,
            "rounds": options.rounds,
            "images": images,
            "models": rows,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    metric = _metric(rows)
    if options.plot is not None and metric:
        from posekit.visualize.charts import line_chart

        points = {name: [(row["median_ms"]["network"], row["accuracy"][metric])] for name, row in rows.items()}
        chart = line_chart("accuracy against time", points, x_label="network, ms of an image", y_label=metric)
        options.plot.write_text(chart, encoding="utf-8")
        print(f"plot in {options.plot}")
