"""A video to poses: read, predict, track, smooth, draw and write; memory does not grow with the length.

Reading and drawing run in threads beside the network. What the network finds is stored at once (`Unfinished`), so a run
that was interrupted continues where it was: stored frames go through tracker and filter again, which is cheap and gives
the same result, and only frames that are still to be predicted or drawn are read. A filter that is tuned on the clip
needs the poses of the clip first; then the video is read a second time to draw.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TypeVar

from posekit.data.errors import DataError
from posekit.data.raw_frames import RawFrame, exact
from posekit.data.video import Frame, Image, Mark, Video
from posekit.data.video_results import FIELDS, VideoFrame, frame_line
from posekit.data.video_writer import SegmentWriter, join, segments
from posekit.geometry.keypoints import Poses
from posekit.pipelines.over_time import OverTime, Step, step_of
from posekit.pipelines.predictor import PosePredictor
from posekit.pipelines.propagate import Propagation
from posekit.pipelines.threads import Clock, ReadAhead, WriteBehind
from posekit.pipelines.unfinished import BLOCK, Unfinished

T = TypeVar("T")

STAGES = ("read", "predict", "track", "smooth", "draw", "write")
"""What the time is given for."""
READY = 2 * BLOCK
"""Frames in memory that are read and not predicted, or predicted and not drawn."""


@dataclass(frozen=True, eq=False)
class VideoTask:
    """What is done with a video.

    Args:
        predictor: finds the poses of each frame.
        over_time: tracking and smoothing.
        draw: draws poses on a frame, for the annotated video; ``None``: no video is written.
        propagation: finds and tracks the poses in place of the predictor, and runs the finder on few frames. It depends
            on all frames before, so an interrupted run predicts from the first frame again (``restart`` of
            `Unfinished`).
        seen: called with a stage, the number of frames it has finished, and of all frames (0: unknown).
        stop: ends the reading of a camera or stream when it is set.
        show: called with each new frame and its poses, for a live preview; must return at once.
    """

    predictor: PosePredictor
    over_time: OverTime = field(default_factory=OverTime)
    draw: Callable[[Image, Poses], Image] | None = None
    propagation: Propagation | None = None
    seen: Callable[[str, int, int], None] = lambda stage, done, total: None
    stop: Event = field(default_factory=Event)
    show: Callable[[Image, Poses], None] | None = None


@dataclass(frozen=True)
class Finished:
    """What came of a video.

    Args:
        frames: number of frames.
        instances: number of instances in all frames.
        faults: what could not be read, and why.
        seconds: stage to the seconds it was at work in this run.
        counts: stage to the frames it worked on in this run.
        wall: seconds of this run.
        fields: optional fields of `Poses` that any frame has.
        dropped: frames of a camera or stream that came too fast.
    """

    frames: int
    instances: int
    faults: tuple[str, ...]
    seconds: dict[str, float]
    counts: dict[str, int]
    wall: float
    fields: frozenset[str] = frozenset()
    dropped: int = 0


def run_video(video: Video, task: VideoTask, work: Unfinished, drawing: Path | None = None) -> Finished:
    """Predict a video; ``work.lines`` holds the results, and ``drawing`` the annotated video.

    Args:
        video: just opened.
        task: what is done.
        work: the folder of the run, just opened; it is not removed.
        drawing: MP4 to be written, if ``task.draw`` is given.

    Raises:
        DataError: the video cannot be read to where it could be read before.
        OSError: something cannot be written; what is finished stays.
    """
    begin = time.perf_counter()
    run = _Run(video, task, work)
    try:
        instances = run.run(drawing is not None)
        if drawing is not None and (files := segments(work.segments)):
            with run.clock("write", 0):
                join(files, drawing)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            errno.ENOSPC,
            f"{work.folder}: the disk is full; {work.raw.count} frames are stored: free some space, then run the same "
            "with --resume (in Python resume=True)",
        ) from None
    assert work.raw.end is not None
    clock, end = run.clock, work.raw.end
    wall = time.perf_counter() - begin
    known = frozenset(run.fields)
    return Finished(end.frames, instances, end.faults, clock.seconds, clock.frames, wall, known, run.dropped)


class _Run:
    """One run over a video, from where an earlier one has stopped."""

    def __init__(self, video: Video, task: VideoTask, work: Unfinished) -> None:
        self.video, self.task, self.work = video, task, work
        self.clock, self.dropped = Clock(), 0
        self.fields: set[str] = set()

    def run(self, draws: bool) -> int:
        """Predict, store, draw; the number of instances."""
        points = len(self.task.predictor.skeleton.points)
        if self.work.resumed and not self.video.repeatable and self.work.raw.end is None:
            # What a camera showed is gone: the frames that are stored are the recording.
            self.work.raw.finish(
                [f"{self.video.source}: the recording was broken off; it is finished as it was stored"]
            )
        if not self.video.repeatable and self.work.raw.end is not None:
            draws = False
        clip = None
        if self.task.over_time.smooth is not None and self.video.repeatable:
            for frame, raw in self._pairs(None):
                self._show(frame, raw.poses)
                self._tell("predict", raw.index + 1)
            clip = self.work.raw
        step = step_of(self.task.over_time, clip, points, self.clock)
        with ExitStack() as stack:
            first = self.work.drawn() if draws else None
            end = self.work.raw.end
            missing = first is not None and (end is None or first < end.frames)
            sink = stack.enter_context(self._sink(first or 0)) if missing else None
            lines = stack.enter_context(self.work.lines.open("wb"))
            return self._finish(step, first, lines.write, sink)

    def _finish(
        self,
        step: Step,
        first: int | None,
        write: Callable[[bytes], int],
        sink: WriteBehind[tuple[int, Frame, Poses]] | None,
    ) -> int:
        """Results and pictures of every frame; the number of instances."""
        skeleton, instances = self.task.predictor.skeleton, 0
        stage = "predict" if self.work.raw.end is None else "draw" if sink is not None else "smooth"
        for frame, raw in self._pairs(first):
            done: VideoFrame = step(raw)
            instances += len(done.poses)
            self.fields |= {name for name in FIELDS if getattr(done.poses, name) is not None}
            write(frame_line(done, skeleton))
            self._show(frame, done.poses)
            if sink is not None and frame is not None:
                sink.put((raw.pts, frame, done.poses))
            self._tell(stage, raw.index + 1)
        return instances

    def _show(self, frame: Frame | None, poses: Poses) -> None:
        """Show a frame that was read."""
        if self.task.show is not None and frame is not None:
            self.task.show(frame.image, poses)

    def _tell(self, stage: str, done: int) -> None:
        end = self.work.raw.end
        total = self.video.info.frames if end is None else end.frames
        self.task.seen(stage, done, max(total, done) if total else 0)

    def _sink(self, first: int) -> WriteBehind[tuple[int, Frame, Poses]]:
        """The thread that draws and writes, from the first frame that is not in a complete segment."""
        draw, clock = self.task.draw, self.clock
        writer = SegmentWriter(self.work.segments, self.video.info, first, self.work.length)

        def work(item: tuple[int, Frame, Poses]) -> None:
            pts, frame, poses = item
            image = frame.image
            if draw is not None:
                with clock("draw"):
                    image = draw(image, poses)
            with clock("write"):
                writer.write(pts, image)

        return WriteBehind(work, writer.close, writer.abandon, "write", READY)

    def _pairs(self, first: int | None) -> Iterator[tuple[Frame | None, RawFrame]]:
        """Every frame: stored ones again, then new ones from the network.

        Args:
            first: the first frame whose image is wanted; ``None``: stored frames need no image.

        Yields:
            The image, ``None`` for stored frames before ``first``; and what the network found.
        """
        stored, raw = iter(self.work.raw), self.work.raw
        count, before = raw.count, None
        for before in islice(stored, count if first is None else min(first, count)):
            yield None, before
        rest = 0 if before is None else before.index + 1
        if rest == count and raw.end is not None:
            return
        mark = None if before is None else Mark(before.index, before.pts)
        with ReadAhead(self.video.frames(mark), self.clock, "read", READY, drop=self.video.live) as frames:
            if mark is not None:
                next(frames, None)
            for again in stored:
                yield self._same(next(frames, None), again), again
            if raw.end is None:
                yield from self._predicted(frames)
            self.dropped = frames.dropped

    def _same(self, frame: Frame | None, stored: RawFrame) -> Frame:
        """The frame, if it is the stored one.

        Raises:
            DataError: it is another, or missing.
        """
        if frame is None or frame.pts != stored.pts:
            raise DataError(
                f"{self.video.source}: frame {stored.index} at {stored.time:.3f} s was there before and is not found "
                f"again: was the file changed? Remove {self.work.folder} to start again"
            )
        return frame

    def _predicted(self, frames: ReadAhead[Frame]) -> Iterator[tuple[Frame, RawFrame]]:
        """New frames, block by block, each stored before it goes on."""
        raw, predict = self.work.raw, self._predictor()
        while block := list(islice(frames, raw.block)):
            with self.clock("predict", len(block)):
                poses = predict(block)
            found = [
                RawFrame(index, frame.pts, frame.time, exact(of_frame))
                for index, (frame, of_frame) in enumerate(zip(block, poses, strict=True), raw.count)
            ]
            raw.append(found)
            yield from zip(block, found, strict=True)
            if self.task.stop.is_set():
                break
        raw.finish(self.video.faults)

    def _predictor(self) -> Callable[[list[Frame]], list[Poses]]:
        """The poses of a block: each on its own, or with what propagation knows of the blocks before."""
        if self.task.propagation is None:
            return lambda block: list(self.task.predictor.stream(frame.image for frame in block))
        images: deque[Image] = deque()
        times: deque[float] = deque()
        # Endless streams, of which a frame is taken for each that was put in.
        found = self.task.propagation.stream(_taken(images), _taken(times))

        def predict(block: list[Frame]) -> list[Poses]:
            images.extend(frame.image for frame in block)
            times.extend(frame.time for frame in block)
            return list(islice(found, len(block)))

        return predict


def _taken(waiting: deque[T]) -> Iterator[T]:
    while True:
        yield waiting.popleft()
