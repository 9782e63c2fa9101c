"""The poses a model found in each frame of a video, appended to a file as they are found.

One JSON line a frame, exact to the last bit, in blocks; a last line says that the video has ended. After a kill the
complete blocks are read again, and what was written of the next one is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.errors import DataError
from posekit.geometry.keypoints import Poses

WHOLE = {"category": np.int64, "ids": np.int64, "filled": np.bool_}
"""Fields of `Poses` that are not float32."""


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """What a model found in one frame.

    Args:
        index: of the frame, from 0.
        pts: presentation time in ticks of the video's time base.
        time: of presentation, seconds.
        poses: (N, K) in its pixels, float32.
    """

    index: int
    pts: int
    time: float
    poses: Poses


@dataclass(frozen=True)
class End:
    """The end of a video.

    Args:
        frames: number of frames.
        faults: what could not be read.
    """

    frames: int
    faults: tuple[str, ...]


def exact(poses: Poses) -> Poses:
    """The poses with the number types that the file keeps; without instances also without optional fields."""
    if not len(poses):
        return Poses.empty(int(poses.xy.shape[1]))
    arrays = {field.name: getattr(poses, field.name) for field in fields(Poses)}
    return Poses(
        **{
            name: None if array is None else np.asarray(array, WHOLE.get(name, np.float32))
            for name, array in arrays.items()
        }
    )


class RawFrames:
    """The file of a video's raw poses.

    Args:
        file: made where missing; what is no complete block of it is dropped.
        points: number of points of the skeleton.
        block: frames that are appended at a time; the last block of a video may be shorter.

    Raises:
        DataError: a line in a complete block is damaged.
    """

    def __init__(self, file: Path, points: int, block: int) -> None:
        self.file, self.points, self.block = file, points, block
        self.count = 0
        self.end: End | None = None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        self._keep_complete()

    def __iter__(self) -> Iterator[RawFrame]:
        """The frames that were stored before, one at a time."""
        with self.file.open("rb") as opened:
            for _ in range(self.count):
                yield self._frame(opened.readline())

    def append(self, frames: Sequence[RawFrame]) -> None:
        """Store one block, in one write; what is half written is dropped when the file is opened again.

        Raises:
            OSError: it cannot be written, such as on a full disk.
        """
        self._write("".join(map(_line, frames)))
        self.count += len(frames)

    def finish(self, faults: Sequence[str]) -> None:
        """Store that the video has ended."""
        self._write(json.dumps({"end": self.count, "faults": list(faults)}) + "\n")
        self.end = End(self.count, tuple(faults))

    def _write(self, text: str) -> None:
        with self.file.open("ab") as opened:
            opened.write(text.encode())

    def _keep_complete(self) -> None:
        """Count the complete blocks and cut off the rest."""
        kept, at, lines = 0, 0, 0
        with self.file.open("rb") as opened:
            for line in opened:
                if not line.endswith(b"\n"):
                    break
                if line.startswith(b'{"end"'):
                    self.end = _end(line)
                    kept, self.count = at + len(line), lines
                    break
                at, lines = at + len(line), lines + 1
                if lines % self.block == 0:
                    kept, self.count = at, lines
        with self.file.open("rb+") as opened:
            opened.truncate(kept)

    def _frame(self, line: bytes) -> RawFrame:
        try:
            entry = json.loads(line)
            poses: dict[str, Any] = {
                name: np.asarray(values, WHOLE.get(name, np.float32)) for name, values in entry["poses"].items()
            }
            return RawFrame(
                int(entry["frame"]),
                int(entry["pts"]),
                float(entry["time"]),
                Poses(**poses) if poses else Poses.empty(self.points),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{self.file}: a line is damaged ({error}); remove the folder {self.file.parent} and start again"
            ) from None


def _line(frame: RawFrame) -> str:
    poses: dict[str, Any] = {}
    if len(frame.poses):
        arrays = ((field.name, getattr(frame.poses, field.name)) for field in fields(Poses))
        poses = {name: array.tolist() for name, array in arrays if array is not None}
    return json.dumps({"frame": frame.index, "pts": frame.pts, "time": frame.time, "poses": poses}) + "\n"


def _end(line: bytes) -> End:
    entry = json.loads(line)
    return End(int(entry["end"]), tuple(map(str, entry["faults"])))
