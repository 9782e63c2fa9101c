"""The part of `posekit predict` for videos: progress, interruption, and what is printed at the end."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posekit.data.video_sources import RATE, is_camera, is_stream, is_video, video_sources
from posekit.words import plural

if TYPE_CHECKING:
    from posekit.api.video_predictions import VideoPredictions
    from posekit.cli.predict import Options
    from posekit.pipelines.predictor import PosePredictor

DOING = {"predict": "predicting", "draw": "drawing", "smooth": "tracking"}
"""Stage: its name beside the progress bar."""


def videos_of(options: Options) -> list[str]:
    """The sources, if they are videos; nothing if they are images.

    Raises:
        ValueError: images and videos together, or an option of the one for the other.
        DataError: a pattern names no file.
    """
    over_time = {
        "--track": options.track,
        "--smooth": options.smooth not in (None, "none"),
        "--every": options.every != 1,
        "--fps": options.fps is not None,
    }
    only = {
        **over_time,
        "--lag": options.lag is not None,
        "--npz": options.npz,
        "--lift": options.lift,
        "--preview": options.preview is not None,
        "--resume": options.resume,
    }
    given = [flag for flag, value in only.items() if value]
    folders = any(over_time.values())
    videos = [source for source in options.source if is_video(source) or (folders and Path(source).is_dir())]
    if not videos:
        if given:
            raise ValueError(
                f"{given[0]} is for videos, and {options.source[0] if options.source else 'nothing'} is none; a folder "
                "of images is taken as one with --fps"
            )
        return []
    if others := [source for source in options.source if source not in videos]:
        raise ValueError(f"{videos[0]} is a video and {others[0]} is not: predict images and videos one after another")
    if options.boxes is not None:
        raise ValueError("--boxes is for images: in a video the model finds the instances, or each frame is one box")
    found = video_sources(videos)
    for flag, file in (("--csv", options.csv), ("--npz", options.npz)):
        if file is not None and len(found) > 1:
            raise ValueError(f"{flag} {file} is for one video, and {len(found)} are given")
    if options.lag is not None and not over_time["--smooth"]:
        raise ValueError("--lag is the delay of --smooth: name a filter, such as --smooth one-euro")
    return found


def run_videos(videos: Sequence[str], options: Options, model: str | PosePredictor, argv: Sequence[str]) -> int:
    """Predict videos one after another; status 1 if frames of any could not be read, 130 after an interruption."""
    from posekit.api.video_files import free_name

    names: list[str] = []
    for source in videos:
        names.append(free_name(source, options.out, names))
    status = 0
    for source, name in zip(videos, names, strict=True):
        try:
            found = _predicted(source, name, options, model)
        except KeyboardInterrupt:
            again = shlex.join(["posekit", "predict", *argv, *([] if options.resume else ["--resume"])])
            print(
                f"posekit predict: interrupted; what is finished stays in {options.out / f'{name}.part'}. "
                f"Continue with: {again}",
                file=sys.stderr,
            )
            return 130
        if options.csv is not None:
            found.write_csv(options.csv)
        if options.npz is not None:
            found.write_npz(options.npz)
        _print(found, options)
        status = max(status, 1 if found.faults else 0)
    return status


def _predicted(source: str, name: str, options: Options, model: str | PosePredictor) -> VideoPredictions:
    from posekit.api.filters import NONE
    from posekit.api.predict import Drawing
    from posekit.api.video import LAG, predict_video

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bar, _stopping(source) as stop:
        tasks = {stage: bar.add_task(f"{name}: {about}", total=None, visible=False) for stage, about in DOING.items()}

        def seen(stage: str, done: int, total: int) -> None:
            bar.update(tasks[stage], completed=done, total=total or None, visible=True)

        return predict_video(
            source,
            model,
            out=options.out,
            pictures=options.pictures,
            track=options.track,
            smooth=options.smooth or NONE,
            every=options.every,
            lift=options.lift,
            lag=LAG if options.lag is None else options.lag,
            drawing=Drawing(options.threshold, options.instances),
            device=options.device,
            batch=options.batch,
            scales=options.scales or None,
            tiles=options.tiles,
            points=options.points,
            rate=RATE if options.fps is None else options.fps,
            resume=options.resume,
            name=name,
            seen=seen,
            stop=stop,
            preview=_port(options),
            at=lambda address: print(f"posekit predict: preview at {address}", file=sys.stderr),
        )


def _port(options: Options) -> int | None:
    """The port of the preview; ``None``: there is none.

    Raises:
        ValueError: several ports.
    """
    if options.preview is None:
        return None
    if len(options.preview) > 1:
        raise ValueError(f"--preview takes one port; got {' '.join(map(str, options.preview))}")
    from posekit.pipelines.preview import PORT

    return options.preview[0] if options.preview else PORT


@contextmanager
def _stopping(source: str) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets while a camera or stream is recorded, which then ends as a video does.

    A second Ctrl-C interrupts; files are interrupted by the first.
    """
    stop = threading.Event()
    if not (is_stream(source) or is_camera(source)) or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def end(*about: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _print(found: VideoPredictions, options: Options) -> None:
    """Print notes, faults, a summary, and the time of each stage."""
    for sentence in (*found.notes, *found.faults):
        print(f"posekit predict: {sentence}", file=sys.stderr)
    files = [str(file) for file in (found.drawing, found.lines, options.csv, options.npz) if file is not None]
    rate = f", {found.frames / found.wall:.1f} frames a second" if found.wall > 0 and found.frames else ""
    print(f"{plural(found.frames, 'frame')}, {plural(found.instances, 'instance')}{rate}; written: {', '.join(files)}")
    busy = [stage for stage in found.stages if stage.frames]
    if busy:
        print(f"{'stage':<8} {'frames':>8} {'ms a frame':>11} {'of the time':>12}")
    for stage in busy:
        print(
            f"{stage.name:<8} {stage.frames:>8} {1000 * stage.seconds / stage.frames:>11.2f} "
            f"{stage.seconds / found.wall:>12.0%}"
        )
