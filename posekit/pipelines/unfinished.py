"""The folder of a video that is not finished: its settings, the raw poses, the segments that are drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posekit.data.raw_frames import RawFrames
from posekit.data.video_writer import LENGTH, segments

BLOCK = 16
"""Frames that are predicted and stored at a time. Batches do not reach over it, so that a resumed run gives the network
the same batches as an unbroken one; it divides the length of a segment."""


class Unfinished:
    """The folder of a run that may be interrupted.

    Args:
        folder: made where missing.
        settings: what the run depends on; JSON values.
        points: number of points of the skeleton.
        resume: continue the run whose folder it is; otherwise none may be there.
        block: frames that are stored at a time.
        length: frames in a segment.
        restart: predict from the first frame if not all frames are, since each depends on those before.

    Raises:
        ValueError: there is a run and it is not to be resumed, or it has other settings.
        DataError: the stored poses are damaged.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        points: int,
        *,
        resume: bool,
        block: int = BLOCK,
        length: int = LENGTH,
        restart: bool = False,
    ) -> None:
        self.folder, self.length = folder, length
        file = folder / "settings.json"
        self.resumed = file.is_file()
        plain = json.loads(json.dumps(dict(settings)))
        if self.resumed and not resume:
            raise ValueError(
                f"{folder} holds an unfinished run: add --resume (in Python resume=True) to continue it, or remove "
                "that folder to start again"
            )
        if self.resumed:
            _check(folder, _read(file), plain)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.raw = RawFrames(folder / "raw.jsonl", points, block)
        if restart and self.raw.end is None:
            (folder / "raw.jsonl").unlink()
            self.raw = RawFrames(folder / "raw.jsonl", points, block)
        if not self.resumed:
            beside = file.with_suffix(".tmp")
            beside.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
            beside.replace(file)

    @property
    def segments(self) -> Path:
        """The folder of the segments."""
        return self.folder / "segments"

    @property
    def lines(self) -> Path:
        """The results that are being written; they are made anew from the raw poses in every run."""
        return self.folder / "results.jsonl"

    def drawn(self) -> int:
        """Number of stored frames that are in complete segments."""
        count = len(segments(self.segments))
        if self.raw.end is not None and count * self.length >= self.raw.end.frames:
            return self.raw.end.frames
        return min(count, self.raw.count // self.length) * self.length

    def remove(self) -> None:
        """Remove the folder of a finished run."""
        shutil.rmtree(self.folder)


def _read(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_bytes())
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ValueError(f"{file} is damaged: remove the folder {file.parent} and start again")
    return settings


def _check(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue a run with other settings.

    Raises:
        ValueError: they differ.
    """
    different = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if different:
        what = "; ".join(f"{name} was {before.get(name)} and is {now.get(name)}" for name in different)
        raise ValueError(
            f"{folder} holds an unfinished run with other settings: {what}. Give the same source, model and options, "
            "or another --out, or remove that folder to start again"
        )
