"""`posekit.predict_video`: a video to poses over time, an annotated video and tables."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from posekit.api.filters import LIVE, NONE, check_filter, filter_of
from posekit.api.predict import Drawing, known_skeleton
from posekit.api.video_files import VideoFiles, finished, free_name, kept
from posekit.api.video_predictions import VideoPredictions
from posekit.data.video import Image, Video
from posekit.data.video_sources import RATE, open_video
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import Track
from posekit.pipelines.chain import Chain
from posekit.pipelines.mapped import Mapped
from posekit.pipelines.over_time import OverTime, keep_ids
from posekit.pipelines.predictor import PosePredictor
from posekit.pipelines.preview import Preview
from posekit.pipelines.propagate import Propagation
from posekit.pipelines.unfinished import BLOCK, Unfinished
from posekit.pipelines.video import VideoTask, run_video
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.track import Tracking
from posekit.visualize.tracks import draw_tracked
from posekit.zoo.catalogue import default_model
from posekit.zoo.fingerprint import fingerprint
from posekit.zoo.load import load
from posekit.zoo.temporal import load_temporal

LAG = 40.0
"""Milliseconds."""


@dataclass(frozen=True)
class OverFrames:
    """What is done with poses over time.

    Args:
        track: give every instance an id that stays the same from frame to frame.
        smooth: steady the points over time; implies ``track``: key of `SMOOTHERS`, or "temporal" or "temporal-offline",
            a network, with ":FOLDER" one that `posekit train temporal` wrote. "none": points stay as found.
        lag: delay in milliseconds that smoothing may cost; more makes points steadier.
        every: the finder of two models in a row runs on every n-th frame, and tracks give the boxes in between; above 1
            implies ``track``.
        lift: of a temporal network: also give the depth of each point about the root.

    Raises:
        ValueError: there is no such filter, it cannot lift, the lag is negative, or ``every`` is below 1.
    """

    track: bool = False
    smooth: str = NONE
    lag: float = LAG
    every: int = 1
    lift: bool = False

    def __post_init__(self) -> None:
        check_filter(self.smooth, self.lift)
        if not 0 <= self.lag < float("inf"):
            raise ValueError(f"the lag is a delay of at least 0 ms; got {self.lag:g}")
        if self.every < 1:
            raise ValueError(f"every is a number of frames, at least 1; got {self.every}")

    @property
    def tracks(self) -> bool:
        """Whether instances have ids."""
        return self.track or self.smooth != NONE or self.every > 1


def predict_video(
    source: str | Path,
    model: str | Path | PosePredictor | None = None,
    *,
    out: str | Path | None = None,
    pictures: bool = True,
    track: bool = False,
    smooth: str = NONE,
    lag: float = LAG,
    every: int = 1,
    lift: bool = False,
    drawing: Drawing | None = None,
    device: str = "auto",
    batch: int | None = None,
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    flip_test: bool | None = None,
    points: str | None = None,
    rate: float = RATE,
    resume: bool = False,
    name: str | None = None,
    seen: Callable[[str, int, int], None] = lambda stage, done, total: None,
    stop: Event | None = None,
    preview: int | None = None,
    at: Callable[[str], None] = lambda address: None,
) -> VideoPredictions:
    """Find the points in every frame of a video.

    What can be read of a damaged video is predicted; ``faults`` says what is missing. Input files are never
    overwritten. A run that was interrupted is continued with ``resume``; its result equals that of an unbroken one.

    Args:
        source: a video file, the number of a camera, an address (rtsp, http, ...), or a folder of images.
        model: as for `posekit.predict`; ``None``: people. Models of crops take each frame as one box.
        out: folder for ``NAME.jsonl``, ``NAME.json`` and ``NAME.mp4``; while the run lasts, ``NAME.part`` holds what is
            finished. ``None`` keeps the poses as long as the result lives, and draws nothing.
        pictures: write the annotated video, if there is an ``out``.
        track: give every instance an id that stays the same from frame to frame.
        smooth: steady the points over time; implies ``track``: key of `SMOOTHERS`, or "temporal" or "temporal-offline",
            a network, with ":FOLDER" one that `posekit train temporal` wrote. "none": points stay as found.
        lag: delay in milliseconds that smoothing may cost; more makes points steadier.
        every: the finder of two models in a row runs on every n-th frame, and tracks give the boxes in between; above 1
            implies ``track``. An interrupted run then predicts from the first frame again.
        lift: of a temporal network: also give the depth of each point about the root, in pixels.
        drawing: score thresholds of the annotated video.
        device: see `posekit.load`, if ``model`` is a name.
        batch: see `posekit.load`; at most 16, the frames that are predicted at a time, count for full images.
        scales: see `posekit.load`.
        tiles: see `posekit.load`.
        flip_test: see `posekit.load`.
        points: name of a known skeleton that the points are mapped to.
        rate: frames a second of a folder of images.
        resume: continue a run that was interrupted; without one, begin.
        name: NAME of the files; ``None``: that of the source.
        seen: called with a stage ("predict", "draw" or "smooth"), the number of its finished frames, and of all
            frames, 0 where it is unknown.
        stop: ends a camera or stream when it is set.
        preview: port of a page on this machine that shows the newest frame while the run lasts; 0: any free one.
        at: called with the address of that page.

    Returns:
        The poses of each frame.

    Raises:
        DataError: the source has no frame that can be read.
        WeightsError: there is no such model.
        ValueError: an option does not fit; or an unfinished run is there and not to be resumed, or has other settings.
        OSError: the port of the preview is taken; or a file cannot be written; what is finished stays.
        ModuleNotFoundError: PyAV is not installed.
    """
    over, drawing = OverFrames(track, smooth, lag, every, lift), drawing or Drawing()
    folder = Path(tempfile.mkdtemp(prefix="posekit-")) if out is None else Path(out)
    model = default_model() if model is None else model
    video = open_video(source, rate)
    files = VideoFiles(folder, name or free_name(source, folder), pictures and out is not None)
    if isinstance(model, str | Path):
        predictor = load(model, device=device, batch=batch, scales=scales, tiles=tiles, flip_test=flip_test)
    else:
        predictor = model
    if points is not None:
        predictor = Mapped(predictor, known_skeleton(points))
    options = {"scales": scales, "tiles": tiles, "flip_test": flip_test, "points": points, "batch": batch}
    settings = _settings(source, video, model, over, drawing, options | {"pictures": files.drawing is not None})
    if resume and (done := finished(files, settings, predictor)) is not None:
        return done
    block, count = BLOCK if video.repeatable else 1, len(predictor.skeleton.points)
    propagation = _propagation(over, predictor)
    restart = propagation is not None and video.repeatable
    work = Unfinished(files.part, settings, count, resume=resume, block=block, restart=restart)
    over_time = _over_time(over, predictor)
    draw = _draw(predictor, drawing)
    task = VideoTask(predictor, over_time, draw, propagation, seen, stop or Event())
    try:
        with ExitStack() as stack:
            if preview is not None:
                page = stack.enter_context(Preview(draw, preview))
                at(page.address)
                task = replace(task, show=page.show)
            ran = run_video(video, task, work, files.drawing)
    except BaseException:
        if not work.raw.count:
            work.remove()
        raise
    found = kept(files, work, settings, ran, predictor, video)
    if out is None:
        weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    return found


def _settings(
    source: str | Path, video: Video, model: str | Path | PosePredictor, over: OverFrames, drawing: Drawing, more: Any
) -> dict[str, Any]:
    """What the result depends on, as JSON values."""
    named = isinstance(model, str | Path)
    return {
        "source": str(source) if not video.repeatable else os.path.realpath(source),
        "version of the source": _version(Path(source)) if video.repeatable else "",
        "frames a second": video.info.rate,
        "model": str(model) if isinstance(model, str | Path) else model.name,
        "sha256 of the model": fingerprint(model) if isinstance(model, str | Path) else "",
        "track": over.tracks,
        "smooth": over.smooth,
        "lag": over.lag if over.smooth != NONE else None,
        "every": over.every,
        **({"sha256 of the filter": _checksum(over.smooth), "lift": over.lift} if over.smooth.startswith(LIVE) else {}),
        "threshold": drawing.points,
        "instances": drawing.instances,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in more.items() if named or value},
    }


def _version(source: Path) -> str:
    """Size and time of a file, or a checksum of those of the files in a folder."""
    if source.is_dir():
        parts = [f"{file.name} {_version(file)}" for file in sorted(source.iterdir()) if file.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    about = source.stat()
    return f"{about.st_size} bytes, {about.st_mtime_ns}"


def _over_time(over: OverFrames, predictor: PosePredictor) -> OverTime:
    if not over.tracks:
        return OverTime()
    smooth = None if over.smooth == NONE else partial(_smoother, over, predictor.skeleton)
    if over.every > 1:
        return OverTime(keep_ids, smooth)
    return OverTime(partial(_tracking(predictor).start, predictor.skeleton), smooth)


def _tracking(predictor: PosePredictor) -> Tracking:
    return Tracking(score_threshold=predictor.instance_threshold)


def _propagation(over: OverFrames, predictor: PosePredictor) -> Propagation | None:
    """Detect-every-n, if it is asked for.

    Raises:
        ValueError: the model is not two in a row whose boxes follow from the points.
    """
    if over.every == 1:
        return None
    if not isinstance(predictor, Chain):
        raise ValueError(
            f"every {over.every} frames (--every) is for two models in a row, such as body-s+body-crop-s, with their "
            f"own points; {predictor.name} is not: leave it out"
        )
    return Propagation(predictor, _tracking(predictor), over.every)


def _smoother(over: OverFrames, skeleton: Skeleton, tracks: list[Track]) -> Smoother:
    """A filter with this delay, tuned on the clip where it is known."""
    return filter_of(over.smooth, tracks, over.lag, skeleton, over.lift)


def _checksum(word: str) -> str:
    """Of the file of a temporal network."""
    return hashlib.sha256(load_temporal(word.partition(":")[2]).file.read_bytes()).hexdigest()


def _draw(predictor: PosePredictor, drawing: Drawing) -> Callable[[Image, Poses], Image]:
    asked = drawing.instances if drawing.instances is not None else predictor.instance_threshold
    least = None if predictor.needs_boxes else asked

    def draw(image: Image, poses: Poses) -> Image:
        shown = poses if least is None or poses.ids is not None else poses.above(least)
        return draw_tracked(image, shown, predictor.skeleton, threshold=drawing.points)

    return draw
