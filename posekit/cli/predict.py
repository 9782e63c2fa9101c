"""`posekit predict SOURCE... --model RUN`: images or videos with the points drawn, and the points as files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posekit.cli.kinds import Count, Number, Numbers, OneFile, Switch, Text
from posekit.words import plural
from posekit.zoo.catalogue import default_model

if TYPE_CHECKING:
    from posekit.api.predictions import Predictions
    from posekit.pipelines.predictor import PosePredictor


@dataclass(frozen=True)
class Options:
    """Find the points in images or videos, and draw them.

    Images: a picture for each, and results.json in COCO's results format. A video: NAME.mp4 with the points drawn, and
    NAME.jsonl with one line for each frame; see docs/video.md.
    """

    source: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="(required)"),
    ]
    """image files, folders, or glob patterns; or videos: files, 0 for the first webcam, addresses (rtsp://..., http://...)"""
    model: Text = None
    """a run folder, a weights folder, a hub id, an exported file, or a model of posekit (`posekit models list`); mtcnn:
    faces and their five points; default: people in full images, body-s+body-crop-s, and with --boxes body-crop-s"""
    weights: OneFile = None
    "with --model mtcnn: its weights folder, or facenet-pytorch's wheel or unpacked folder; default: $POSEKIT_MTCNN"
    boxes: OneFile = None
    "COCO file with a box for each instance, matched by image path; none: each image is one box"
    out: Path = Path("predictions")
    "folder to write to"
    csv: OneFile = None
    """also write a CSV table with one row for each point, in continuous pixels: 0.5 more than in results.json, which
    holds pixel indices as COCO does"""
    threshold: float = 0.3
    "score threshold of points; those a little below it are drawn as rings; results.json holds all"
    instances: Number = None
    """score threshold of instances that are drawn, for models that find them without boxes; default: the threshold of
    the model"""
    tiles: Switch = False
    "one-stage models: also cut the image, at its original size, into tiles; for small instances in large images"
    scales: Numbers = ()
    "one-stage models: scales of multi-scale testing; 1 fits the image into the network input, above 1 cuts tiles"
    points: Text = None
    """map the points to a known skeleton, such as lsp14, by name and by stated rules (a neck is between the shoulders);
    default: the points of the model"""
    batch: Count = None
    "crops or images in a batch; default: 32 on a GPU; 8 crops or 2 images on a CPU, where more only take memory"
    device: str = "auto"
    "auto (a GPU if there is one), cpu, cuda, mps"
    pictures: bool = True
    "write images or videos with the points drawn; off: only the points"
    track: Switch = False
    "videos: give every instance an id that stays the same from frame to frame"
    smooth: Text = None
    """videos: steady the points over time by a filter: one-euro, kalman, ema, median, savgol; rts and two-pass look at
    later frames as well; or a small network: temporal, temporal-offline, with :FOLDER one of `posekit
    train temporal`; default: none; implies --track"""
    lift: Switch = False
    "videos, with a temporal network: also write the depth of each point about the root, in pixels"
    lag: Number = None
    "videos: delay in milliseconds that --smooth may cost; more makes points steadier; default 40"
    every: int = 1
    """videos, two models in a row: run the first on every n-th frame only, and take the boxes in between from the
    tracks: faster; implies --track"""
    fps: Number = None
    "take a folder of images as a video with so many frames a second; default with --track or --smooth: 30"
    npz: OneFile = None
    "videos: also write NumPy arrays"
    preview: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[PORT]", help_behavior_hint="")] = None
    """videos: while the run lasts, show the newest frame with its points on a page of this machine, http://127.0.0.1:8090/
    or the port given; 0: any free one"""
    resume: Switch = False
    "videos: continue a run that was interrupted; the result is that of an unbroken one"


def run(argv: Sequence[str]) -> int:
    """Predict; status 1 if an image, a box or a part of a video was left out; the others are predicted."""
    options = tyro.cli(Options, args=list(argv), prog="posekit predict")
    from posekit.cli.predict_video import run_videos, videos_of

    if videos := videos_of(options):
        return run_videos(videos, options, _model(options), argv)
    from posekit.api.predict import Drawing, predict

    columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("predicting", total=None)
        found = predict(
            options.source,
            _model(options),
            boxes=options.boxes,
            out=options.out,
            pictures=options.pictures,
            drawing=Drawing(options.threshold, options.instances),
            device=options.device,
            batch=options.batch,
            scales=options.scales or None,
            tiles=options.tiles,
            points=options.points,
            seen=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if options.csv is not None and found.images:
        found.write_csv(options.csv)
    _print(found, options)
    return 1 if found.faults else 0


def _model(options: Options) -> str | PosePredictor:
    if options.model is None:
        return default_model(options.boxes is not None)
    if options.model != "mtcnn":
        if options.weights:
            raise ValueError(f"--weights is for --model mtcnn; --model {options.model} has its own: leave it out")
        return options.model
    if options.tiles or options.scales:
        raise ValueError("mtcnn searches all scales anyway: leave out --tiles and --scales")
    from posekit.zoo.mtcnn import load_mtcnn

    return load_mtcnn(options.weights, device=options.device)


def _print(found: Predictions, options: Options) -> None:
    """Print notes, faults and a summary."""
    for sentence in (*found.notes, *found.faults):
        print(f"posekit predict: {sentence}", file=sys.stderr)
    if not found.images:
        print(
            f"posekit predict: {_unread(found.unread)}; no file was written",
            file=sys.stderr,
        )
        return
    table = f"; table in {options.csv}" if options.csv else ""
    pictures = f"; pictures in {options.out}" if options.pictures else ""
    print(
        f"{plural(len(found), 'image')}, {plural(found.instances, 'instance')}; results in "
        f"{options.out / 'results.json'}{table}{pictures}"
    )
    _print_scores(found, options)
    if found.unread:
        total = len(found) + found.unread
        print(f"posekit predict: {found.unread} of {total} images could not be read, see above", file=sys.stderr)


def _unread(count: int) -> str:
    return "the image could not be read" if count == 1 else f"none of the {count} images could be read"


def _print_scores(found: Predictions, options: Options) -> None:
    """Print how many points are not drawn because of their score."""
    best = max((float(image.poses.score.max(initial=0.0)) for image in found if len(image.poses)), default=None)
    if best is not None and best < options.threshold:
        print(
            f"no point reaches the score {options.threshold:g}, the best has {best:.2g}: "
            "try a lower --threshold, boxes around the instances (--boxes), or a model trained on such images"
        )
    drawn = found.drawn
    if options.pictures and drawn.instances < found.instances:
        print(
            f"drawn: {drawn.instances} of {plural(found.instances, 'instance')}; the others are below the score "
            "threshold of instances (--instances)"
        )
    if drawn.rings or drawn.hidden:
        parts = [
            f"{drawn.rings} drawn as rings" if drawn.rings else "",
            f"{drawn.hidden} not drawn" if drawn.hidden else "",
        ]
        below = drawn.rings + drawn.hidden
        print(
            f"{below} of {plural(drawn.points, 'point')} {'is' if below == 1 else 'are'} below --threshold "
            f"{options.threshold:g}: {', '.join(filter(None, parts))}"
        )
