"""The files of a predicted video: their names, and how a finished run is kept and found again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posekit.api.filters import LIVE, NONE, OFFLINE
from posekit.api.video_predictions import VideoPredictions, stages_of
from posekit.data.video import Video
from posekit.data.video_results import MORE_COLUMNS
from posekit.data.video_sources import short_name
from posekit.pipelines.predictor import PosePredictor
from posekit.pipelines.unfinished import Unfinished
from posekit.pipelines.video import Finished
from posekit.words import plural


@dataclass(frozen=True)
class VideoFiles:
    """The files of a video in the folder for results."""

    folder: Path
    name: str
    draws: bool

    @property
    def part(self) -> Path:
        """Folder of what is finished while the run lasts."""
        return self.folder / f"{self.name}.part"

    @property
    def lines(self) -> Path:
        """The poses, a line a frame."""
        return self.folder / f"{self.name}.jsonl"

    @property
    def about(self) -> Path:
        """What the result is, as JSON."""
        return self.folder / f"{self.name}.json"

    @property
    def drawing(self) -> Path | None:
        """The annotated video, if there is one."""
        return self.folder / f"{self.name}.mp4" if self.draws else None


def free_name(source: str | Path, folder: Path, taken: Sequence[str] = ()) -> str:
    """A name for the files of a source so that none of them is the source itself.

    Args:
        source: the video.
        folder: for results.
        taken: names of other sources of the same run.
    """
    stem = short_name(source)
    tries = (stem, f"{stem}_pose", *(f"{stem}_{number}" for number in range(2, len(taken) + 3)))
    own = os.path.realpath(source)
    return next(
        name
        for name in tries
        if name not in taken
        and own not in {os.path.realpath(folder / f"{name}{ending}") for ending in (".mp4", ".jsonl", ".json")}
    )


def kept(
    files: VideoFiles, work: Unfinished, settings: dict[str, Any], ran: Finished, predictor: PosePredictor, video: Video
) -> VideoPredictions:
    """Move the results of a finished run to their place, and say what they are."""
    notes = [f"{plural(ran.dropped, 'frame')} came too fast and were left out"] if ran.dropped else []
    learned = settings["smooth"].partition(":")[0] in (LIVE, OFFLINE)
    if settings["smooth"] != NONE and not learned and not video.repeatable:
        notes.append(f"{settings['smooth']} has its default settings: a camera or stream has no clip to tune it on")
    more = {*ran.fields, *(("raw", "filled") if settings["smooth"] != NONE else ())}
    drawing = files.drawing if files.drawing is not None and files.drawing.is_file() else None
    about = {
        "source": video.source,
        "settings": settings,
        "skeleton": {"name": predictor.skeleton.name, "points": list(predictor.skeleton.points)},
        "frames": ran.frames,
        "instances": ran.instances,
        "height": video.info.height,
        "width": video.info.width,
        "seconds": ran.seconds,
        "counts": ran.counts,
        "wall": ran.wall,
        "more": [name for name in MORE_COLUMNS if name in more],
        "faults": list(ran.faults),
        "notes": notes,
    }
    work.lines.replace(files.lines)
    beside = files.about.with_name(f"{files.about.name}.tmp")
    beside.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    beside.replace(files.about)
    work.remove()
    return _result(files, about, predictor, drawing)


def _result(
    files: VideoFiles, about: dict[str, Any], predictor: PosePredictor, drawing: Path | None
) -> VideoPredictions:
    return VideoPredictions(
        about["source"],
        about["settings"]["model"],
        predictor.skeleton,
        files.lines,
        about["frames"],
        about["instances"],
        about["height"],
        about["width"],
        tuple(about["more"]),
        drawing,
        tuple(about["faults"]),
        tuple(about["notes"]),
        stages_of(about["seconds"], about["counts"]),
        about["wall"],
    )


def finished(files: VideoFiles, settings: dict[str, Any], predictor: PosePredictor) -> VideoPredictions | None:
    """The result of an earlier run with the same settings that is complete; ``None`` if there is none."""
    there = files.lines.is_file() and (files.drawing is None or files.drawing.is_file()) and not files.part.exists()
    try:
        about = json.loads(files.about.read_bytes()) if there else {}
        if about.get("settings") != json.loads(json.dumps(settings)):
            return None
        found = _result(files, about, predictor, files.drawing)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return replace(found, notes=(*found.notes, f"{files.lines} was finished before; nothing was done"))
