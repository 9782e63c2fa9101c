"""The result of `posekit.predict_video`: the poses of each frame, read from their file one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from posekit.data.video_results import MORE_COLUMNS, VideoFrame, read_frames, write_csv, write_npz
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.video import STAGES


@dataclass(frozen=True)
class Stage:
    """How long a stage of a video took.

    Args:
        name: read, predict, track, smooth, draw or write.
        frames: it worked on; fewer than those of the video after a resume.
        seconds: it was at work. Reading, drawing and writing run beside the network, so that the sum may be larger than
            the time of the run.
    """

    name: str
    frames: int
    seconds: float

    @property
    def rate(self) -> float:
        """Frames a second of this stage alone."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def stages_of(seconds: Mapping[str, float], counts: Mapping[str, int]) -> tuple[Stage, ...]:
    """The stages that were at work, in the order of the pipeline."""
    return tuple(Stage(name, counts.get(name, 0), seconds[name]) for name in STAGES if name in seconds)


@dataclass(frozen=True, eq=False, repr=False)
class VideoPredictions:
    """The poses in each frame of a video; iterate over it for one `VideoFrame` after another.

    Args:
        source: the video.
        model: name given by the user.
        skeleton: of the points.
        lines: the file of JSON lines with the poses, see `posekit.data.video_results`.
        frames: number of frames.
        instances: number of instances in all frames.
        height: of the first frame, pixels.
        width: of the first frame, pixels.
        more: which of `MORE_COLUMNS` the poses have.
        drawing: the annotated video, if there is one.
        faults: what could not be read, and why.
        notes: other messages.
        stages: time of each stage.
        wall: seconds of the run.
    """

    source: str
    model: str
    skeleton: Skeleton
    lines: Path
    frames: int
    instances: int
    height: int
    width: int
    more: tuple[str, ...] = ()
    drawing: Path | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    wall: float = 0.0

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[VideoFrame]:
        return read_frames(self.lines, self.skeleton)

    def __repr__(self) -> str:
        return f"VideoPredictions({self.instances} instances in {self.frames} frames of {self.source!r})"

    def write_csv(self, file: str | Path) -> Path:
        """Write one row for each point; see `posekit.data.video_results.COLUMNS`."""
        return write_csv(self.lines, Path(file), self.source, [name for name in MORE_COLUMNS if name in self.more])

    def write_npz(self, file: str | Path) -> Path:
        """Write NumPy arrays; see `posekit.data.video_results.write_npz`."""
        return write_npz(self.lines, Path(file), self.skeleton)
