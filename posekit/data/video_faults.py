"""What is wrong with a video: messages for what cannot be opened, and for frames that are missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.data.errors import DataError
from posekit.words import plural

SLACK = 0.5
"""Seconds by which a video may end earlier than announced."""


@dataclass(frozen=True)
class Announced:
    """What a container announces.

    Args:
        frames: number of frames; 0 if unknown.
        exact: whether the container counts its frames, rather than the number being estimated.
        end: presentation time of the end, ticks; ``None`` if unknown.
        slack: ticks of `SLACK`.
        base: seconds of a tick.
    """

    frames: int
    exact: bool
    end: int | None
    slack: int
    base: float

    def missing(self, source: str, count: int, last: int | None, step: int, damaged: int, why: str) -> list[str]:
        """Messages about frames that were not read.

        Args:
            source: for the messages.
            count: frames that were read.
            last: time of the last one, ticks.
            step: ticks from frame to frame.
            damaged: parts that could not be decoded, or only in part.
            why: what FFmpeg says of the last fault.
        """
        reason = f" (FFmpeg: {why})" if why else ""
        found = []
        if self.exact and count < self.frames:
            found.append(
                f"{source}: {count} of {plural(self.frames, 'frame')} could be read, the rest is missing or damaged"
                f"{reason}: is the download or the copy complete?"
            )
        elif self.end is not None and last is not None and last + 2 * step + self.slack < self.end:
            found.append(
                f"{source}: ends after {(last + step) * self.base:.1f} s and {plural(count, 'frame')}, "
                f"{self.end * self.base:.1f} s were announced{reason}: is the download or the copy complete?"
            )
        if damaged and not found:
            found.append(f"{source}: {plural(damaged, 'part')} of it damaged{reason}; frames there may be wrong")
        return found


def announced(stream: Any, container: Any) -> Announced:
    """What an open container of PyAV announces of a stream."""
    base = float(stream.time_base)
    duration = stream.duration
    if duration is None and container.duration is not None:
        duration = round(container.duration / 1e6 / base)
    end = None if not duration or duration < 0 else int(stream.start_time or 0) + int(duration)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    counted = int(stream.frames or 0)
    estimated = round(duration * base * rate) if end is not None else 0
    return Announced(counted or estimated, counted > 0, end, round(SLACK / base), base)


def cannot_open(source: str, error: Any) -> DataError:
    """The error for a file or stream that FFmpeg cannot open."""
    reason = str(error.strerror or error)
    if "://" in source:
        return DataError(
            f"{source}: the stream cannot be opened ({reason}): check address, user and password, and that it is on"
        )
    path = Path(source)
    if not path.exists():
        return DataError(f"{source}: no such file; expected a video")
    if path.is_dir():
        return DataError(f"{source}: expected a video, got a folder; give a file in it")
    if not os.access(path, os.R_OK):
        return DataError(f"{source}: cannot be read (permission denied); expected a video")
    if not path.stat().st_size:
        return DataError(f"{source}: the file is empty; expected a video")
    if _is_mp4(path):
        return DataError(
            f"{source}: its index (moov) is missing or damaged, so nothing in it can be found ({reason}): the "
            "recording or download was broken off; get the file again"
        )
    return DataError(f"{source}: not a video that FFmpeg can open ({reason})")


def cannot_read(source: str, why: str) -> str:
    """The message for a video without a frame that can be decoded."""
    reason = f" (FFmpeg: {why})" if why else ""
    return f"{source}: no frame in it could be decoded{reason}; expected a video with at least one frame"


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(12)[4:8] == b"ftyp"
