"""Train the three networks of MTCNN in turn, each on windows that the earlier networks pass on.

When the same command is run again, finished networks are loaded, so an interrupted run continues where it was. Random
numbers depend only on seed, network and image, so a continued run equals an uninterrupted one.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878. Differs: Adam with a cosine schedule; windows are cut once for each
network; faces and points come from one data set, in the paper from two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.progress import Progress

from posekit.data import face_windows as fw
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.engines.spec import known
from posekit.evaluation.faces import measure_faces
from posekit.losses.cascade import STAGES as LOSSES
from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import MTCNN, Cascade
from posekit.recipe import Train
from posekit.skeletons.face import FACE5
from posekit.training.mtcnn.stage import teach
from posekit.training.mtcnn.windows import Drawing, finder_of, training_windows
from posekit.zoo.cascade import STAGES, file_of, is_cascade, read_cascade_config, save_cascade_config
from posekit.zoo.errors import WeightsError
from posekit.zoo.mtcnn import engines_of, fill_stage, save_stage


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CascadeTraining:
    """Training options of a cascade, the same for each network."""

    epochs: int = Field(default=10, ge=1)
    "passes over the windows of each network"
    batch: int = Field(default=256, ge=1)
    "windows in a step"
    lr: float = Field(default=1e-3, gt=0)
    "peak learning rate"
    hard: float = Field(default=0.4, gt=0, lt=1)
    "score threshold of the earlier networks while the later ones are trained, 0 to 1; lower gives more hard negatives"
    windows: Drawing = Field(default_factory=Drawing)
    "number of windows, and the faces they are cut from"
    seed: int = Field(default=0, ge=0)
    "random seed; the same seed gives the same run"


_OPTIONS = TypeAdapter(CascadeTraining)


def faces_of(dataset: Dataset) -> Dataset:
    """The same set, after a check that its points are the five of the cascade.

    Raises:
        DataError: it has other points, or no face with a labelled point.
    """
    points, wanted = list(dataset.skeleton.points), list(FACE5.points)
    where = dataset.file or "the data"
    if points == wanted:
        if not len(dataset):
            raise DataError(f"{where} has no face with a labelled point; at least one is needed")
        return replace(dataset, skeleton=FACE5)
    if len(points) != len(wanted):
        raise DataError(
            f"mtcnn learns the {len(wanted)} points {', '.join(wanted)}; "
            f"{where} has {len(points)} ({', '.join(points)})"
        )
    raise DataError(
        f"mtcnn learns the points {', '.join(wanted)} (left as seen in the image); {where} has "
        f"{', '.join(points)}: if they are the same points in this order, add --data.skeleton face5"
    )


def train_cascade(
    dataset: Dataset,
    folder: Path,
    options: CascadeTraining | None = None,
    *,
    val: Dataset | None = None,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> MTCNN:
    """Train the networks of a cascade that are not trained yet, and write them.

    Args:
        dataset: faces with five points.
        folder: output folder, for `load_mtcnn`; created if missing.
        options: training options; ``None``: the defaults.
        val: validation set; ``None``: no evaluation.
        device: "auto", "cpu", "cuda", ...
        say: prints a line.

    Returns:
        The trained cascade.

    Raises:
        DataError: the points are not those of a cascade.
        WeightsError: the folder was started with other options or data, or holds another model.
        ValueError: no window shows a face.
        RuntimeError: the loss is not finite, or the device is not available.
    """
    options = options or CascadeTraining()
    dataset = faces_of(dataset)
    val = None if val is None else faces_of(val)
    cascade = Cascade(smallest=options.windows.smallest)
    about = {"training": _OPTIONS.dump_python(options, mode="json"), "faces": len(dataset), "images": dataset.scenes}
    _begin(folder, cascade, about)
    torch.manual_seed(options.seed)
    lenient = replace(cascade, scores=(options.hard, options.hard, cascade.scores[2]))
    nets, chosen = Nets.drawn(), _device(device)
    pipeline = MTCNN(engines_of(nets, chosen), lenient)
    for number, stage in enumerate(STAGES):
        if file_of(folder, stage).exists():
            fill_stage(folder, stage, getattr(nets, stage))
            say(f"{stage}: taken from {file_of(folder, stage)}")
        else:
            say(f"{stage}: {_train_stage(pipeline, nets, stage, number, dataset, folder, options, chosen)}")
    finder = MTCNN(pipeline.engines, cascade)
    if val is not None:
        measured = measure_faces(finder, val)
        save_cascade_config(folder, cascade, {**about, "metrics": known(measured)})
        say(_told(measured))
    return finder


def _begin(folder: Path, cascade: Cascade, about: dict[str, Any]) -> None:
    """Write the options into the folder; a folder is continued only with the same options and data."""
    folder.mkdir(parents=True, exist_ok=True)
    if is_cascade(folder):
        _, before = read_cascade_config(folder)
        changed = [name for name, value in about.items() if before.get(name) != value]
        if changed:
            raise WeightsError(
                f"{folder} was started with other {', '.join(changed)} "
                f"({', '.join(f'{before.get(name)} instead of {about[name]}' for name in changed)}); "
                "repeat the original command, or choose another --out"
            )
        return
    if (folder / "config.json").exists():
        raise WeightsError(f"{folder} holds another model; choose another --out")
    save_cascade_config(folder, cascade, about)


def _train_stage(
    pipeline: MTCNN,
    nets: Nets,
    stage: str,
    number: int,
    dataset: Dataset,
    folder: Path,
    options: CascadeTraining,
    device: torch.device,
) -> str:
    """Train and write one network; returns a line for the log."""
    net = getattr(nets, stage)
    train = Train(epochs=options.epochs, batch=options.batch, lr=options.lr, optimizer="adam", weight_decay=0)
    seed, console = (options.seed, number), Console(file=sys.stderr)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        images = bar.add_task(f"{stage}: windows", total=options.windows.passes * dataset.scenes)
        finder = finder_of(pipeline, stage)
        made = training_windows(dataset, net.side, finder, options.windows, seed, lambda: bar.advance(images))
        steps = bar.add_task(f"{stage}: training", total=train.epochs * -(-len(made) // train.batch))
        loss = teach(net, LOSSES[stage], made, train, seed, device, lambda _: bar.advance(steps))
    net.eval()
    file = save_stage(folder, stage, net)
    kinds = (
        (fw.NEGATIVE, "without a face"),
        (fw.PART, "with some"),
        (fw.POSITIVE, "with one"),
        (fw.POINTS, "for points"),
    )
    counts = ", ".join(f"{np.count_nonzero(made.kind == kind)} {what}" for kind, what in kinds)
    return f"{len(made)} windows ({counts}), loss {loss:.4f}; written to {file}"


def _told(measured: dict[str, float]) -> str:
    return (
        f"finds {measured['recall']:.1%} of {measured['faces']:.0f} faces, {measured['false_per_image']:.2f} others an "
        f"image; points {measured['points_error']:.3f} of the face's size off"
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(f"device {name!r} was asked for, but is not available; `posekit doctor` shows why")
    return torch.device(name)
