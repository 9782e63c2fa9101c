"""`posekit bench --model A B --images F`: time of each stage, cold start, memory, size and accuracy of models."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from posekit.cli.kinds import Files, OneFile, Switch

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
    images: Files = ()
    "images or folders to time on; default: those of --data"
    data: Files = ()
    "label files: crops of these boxes are timed, and the accuracy of the same models is measured"
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


@dataclass
class _Rows:
    """Results by model."""

    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    metric: str = ""


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
    files, boxes = _images(options)
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
    rows = _Rows()
    for one, (model, runtime) in zip(candidates, named, strict=True):
        rows.figures[one.name] = {
            **summary(one),
            "cold_start": cold_start(model, runtime, options.threads, options.device),
            "MB_on_disk": round(size_on_disk(model, runtime) / 1e6, 2),
            **_accuracy(options, one, rows),
        }
    console.print(_table(rows))
    console.print(
        f"milliseconds of an image, median of {options.rounds} rounds over {len(files)} images, batch {options.batch}, "
        f"{options.threads} thread(s), {options.device}; first: seconds from the start of Python to the first poses",
        soft_wrap=True,
    )
    _write(options, rows, [str(file) for file in files])
    return 0


def _check(options: Options) -> None:
    if not options.images and not options.data:
        raise ValueError("give images to time on (--images FOLDER), or labelled ones (--data LABELS)")
    if min(options.rounds, options.batch, options.threads, options.most) < 1:
        raise ValueError("--rounds, --batch, --threads and --most are at least 1")
    if options.plot is not None and options.plot.suffix.lower() != ".svg":
        raise ValueError(f"--plot {options.plot}: expected a file that ends in .svg")
    if options.plot is not None and not options.data:
        raise ValueError("--plot draws accuracy against time: give labelled images (--data)")
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


def _images(options: Options) -> tuple[list[Path], dict[Path, NDArray[np.float64]] | None]:
    """Image files, and the boxes of their labels."""
    from posekit.data.image_files import image_files

    if options.images:
        return image_files(options.images)[: options.most], None
    from posekit.api.evaluate import Reading, read_labels
    from posekit.exporting.images import spread

    dataset = read_labels(list(options.data), Reading())
    numbers = spread(np.unique(dataset.image[dataset.rows]), options.most)
    if any(dataset.images[number].load is not None for number in numbers):
        raise ValueError("a pack has no image files, whose reading is timed too: give --images, or another label file")
    rows = {number: dataset.rows[dataset.image[dataset.rows] == number] for number in numbers.tolist()}
    boxes = {Path(dataset.images[number].path): dataset.boxes[own] for number, own in rows.items()}
    return list(boxes), boxes


def _accuracy(options: Options, one: Any, rows: _Rows) -> dict[str, Any]:
    """Metrics of the same model on the labelled images."""
    if not options.data or options.no_accuracy:
        return {}
    from posekit.api.evaluate import Reading, evaluate

    measured = evaluate(one.predictor, list(options.data), reading=Reading(), progress=True)
    names = [name for name in (measured.main, "AP", "pck@0.05") if name in measured.figures]
    rows.metric = rows.metric or ("AP" if "AP" in names else measured.main)
    return {"accuracy": {name: round(float(measured.figures[name]), 4) for name in names}}


def _table(rows: _Rows) -> Table:
    from posekit.studies.bench import STAGES

    table = Table(
        "model", *STAGES, "all", "95 %", "images/s", "first", "MB memory", "MB file", rows.metric or "accuracy"
    )
    for name, row in rows.figures.items():
        median = row["median_ms"]
        table.add_row(
            name,
            *(f"{median[stage]:.1f}" for stage in (*STAGES, "all")),
            f"{row['p95_ms']['all']:.1f}",
            f"{row['images_per_second']:.1f}",
            f"{row['cold_start']['wall_s']:.2f}",
            f"{row['cold_start']['peak_MB']:.0f}",
            f"{row['MB_on_disk']:.1f}",
            f"{row['accuracy'][rows.metric]:.3f}" if rows.metric in row.get("accuracy", {}) else "",
        )
    return table


def _write(options: Options, rows: _Rows, files: list[str]) -> None:
    """Write the JSON file and the plot."""
    if options.json is not None:
        document = {
            "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} CPUs",
            "versions": {name: _version(name) for name in PACKAGES},
            "threads": options.threads,
            "batch": options.batch,
            "rounds": options.rounds,
            "images": len(files),
            "models": rows.figures,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"figures in {options.json}")
    if options.plot is not None and rows.metric:
        from posekit.visualize.charts import line_chart

        points = {
            name: [(row["median_ms"]["network"], row["accuracy"][rows.metric])] for name, row in rows.figures.items()
        }
        chart = line_chart("accuracy against time", points, x_label="network, ms of an image", y_label=rows.metric)
        options.plot.write_text(chart, encoding="utf-8")
        print(f"plot in {options.plot}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
