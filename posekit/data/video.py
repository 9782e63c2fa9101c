"""Videos read frame by frame with PyAV: exact times, upright, whatever can be read of a damaged file.

Frames are RGB uint8. Times are those of the file, ticks times the time base, so a variable frame rate is kept. A file
whose end is missing, or with damaged parts, gives the frames that can be read; `VideoFile.faults` says what is missing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError, plain_path
from posekit.data.video_faults import announced, cannot_open, cannot_read
from posekit.extras import require

Image = NDArray[np.uint8]

WAIT = 15.0
"""Seconds to wait for a stream of the network."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video.

    Args:
        index: from 0, of the frames that could be read.
        pts: presentation time in ticks of the video's time base, increasing.
        time: of presentation, seconds.
        image: (H, W, 3) uint8 RGB, upright.
    """

    index: int
    pts: int
    time: float
    image: Image


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    Args:
        height: of the upright first frame, pixels.
        width: of the upright first frame, pixels.
        time_base: seconds of a tick.
        rate: mean number of frames a second, as announced; 0 if unknown.
        frames: number of frames as announced, or estimated from the duration; 0 if unknown.
        aspect: width of a pixel divided by its height.
    """

    height: int
    width: int
    time_base: Fraction
    rate: float
    frames: int = 0
    aspect: Fraction = Fraction(1)


@dataclass(frozen=True)
class Mark:
    """A frame of a video: the place where reading starts.

    Args:
        index: of the frame.
        pts: of the frame.
    """

    index: int = 0
    pts: int | None = None


class Video(Protocol):
    """A source of frames."""

    @property
    def source(self) -> str:
        """What the user named."""
        ...

    @property
    def info(self) -> VideoInfo:
        """What it says of itself."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether it gives the same frames when it is read again; a camera or stream does not."""
        ...

    @property
    def live(self) -> bool:
        """Whether frames arrive at their own pace, so that those that cannot be processed in time are dropped."""
        ...

    @property
    def faults(self) -> tuple[str, ...]:
        """What could not be read so far, and why."""
        ...

    def frames(self, start: Mark | None = None) -> Iterator[Frame]:
        """The frames, from the first or a given one."""
        ...


class VideoFile:
    """A video file, or a stream of the network.

    Args:
        source: path or URL.
        repeatable: false for streams of the network: they are read once, and their times start at 0.
        live: whether frames arrive at their own pace.

    Raises:
        DataError: it cannot be opened, has no video, no frame, or a codec that this FFmpeg lacks.
        ModuleNotFoundError: PyAV is not installed.
    """

    def __init__(self, source: str | Path, *, repeatable: bool = True, live: bool = False) -> None:
        self.source = plain_path(source) if isinstance(source, Path) else source
        self.repeatable, self.live = repeatable, live
        self._av: Any = require("av", "reading videos")
        self._faults: list[str] = []
        self._decoder: _Decoder | None = self._opened()
        first = self._decoder.first()
        self.info = self._decoder.info(first)
        self._origin = 0 if repeatable else first[0]

    def __repr__(self) -> str:
        about = self.info
        return f"VideoFile({self.source}: {about.width}x{about.height}, {about.rate:g} frames a second)"

    @property
    def faults(self) -> tuple[str, ...]:
        """What could not be read so far, and why."""
        return tuple(self._faults)

    def frames(self, start: Mark | None = None) -> Iterator[Frame]:
        """The frames in order of presentation.

        Args:
            start: the first frame to give, as a frame of an earlier reading; earlier frames are not converted, and not
                decoded where the file can be searched.

        Raises:
            DataError: the start is not there, or a stream of the network is read again.
        """
        start = start or Mark()
        found = self._sought(start) if start.index and start.pts is not None else None
        decoder, skip = (self._fresh(), start.index) if found is None else (found, 0)
        try:
            count = yield from self._numbered(decoder, start, skip)
            self._faults = decoder.faults(count)
        finally:
            decoder.close()

    def _numbered(self, decoder: _Decoder, start: Mark, skip: int) -> Generator[Frame, None, int]:
        """The frames from the start, and how many there are with those before it."""
        base, number = self.info.time_base, start.index - skip
        last: int | None = None
        for pts, frame in decoder:
            # Times that stand still or go back are damage; a tick keeps them increasing.
            ticks = pts - self._origin if last is None or pts - self._origin > last else last + 1
            last = ticks
            if number >= start.index:
                yield Frame(number, ticks, float(ticks * base), upright(frame))
            number += 1
        if number <= start.index and start.index:
            raise DataError(
                f"{self.source}: frame {start.index} was there before and cannot be read now: was the file changed?"
            )
        return number

    def _opened(self) -> _Decoder:
        try:
            return _Decoder(self._av, self.source, None if self.repeatable else WAIT)
        except self._av.error.FFmpegError as error:
            raise cannot_open(self.source, error) from None

    def _fresh(self) -> _Decoder:
        """The decoder that read the first frame already, or a new one."""
        decoder, self._decoder = self._decoder, None
        if decoder is None and not self.repeatable:
            raise DataError(f"{self.source}: a stream of the network is read once: open it again")
        return decoder or self._opened()

    def _sought(self, start: Mark) -> _Decoder | None:
        """A decoder whose next frame is the start; ``None`` if the file cannot be searched."""
        decoder = self._opened()
        if decoder.seek(start.pts or 0):
            return decoder
        decoder.close()
        return None


class _Decoder:
    """An open container and its first video stream: an iterator over (pts, frame).

    Raises:
        DataError: there is no video in it, or no decoder for it.
    """

    def __init__(self, av: Any, source: str, wait: float | None) -> None:
        self.av, self.source = av, source
        options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
        self.container: Any = av.open(source, options=options, timeout=wait)
        try:
            self.stream: Any = _video_stream(source, self.container)
        except DataError:
            self.container.close()
            raise
        self.stream.thread_type = "AUTO"
        rate = self.stream.average_rate or self.stream.guessed_rate or 25
        self.step = max(1, round(1 / (self.stream.time_base * Fraction(rate))))
        self.damaged, self.why = 0, ""
        self.last: int | None = None
        self.ahead: list[tuple[int, Any]] = []
        self.decoded = self._decoded()
        self.announced = announced(self.stream, self.container)

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        while True:
            if self.ahead:
                yield self.ahead.pop(0)
            elif (following := next(self.decoded, None)) is not None:
                yield following
            else:
                return

    def first(self) -> tuple[int, Any]:
        """The first frame, which is given by the iteration as well."""
        found = next(self.decoded, None)
        if found is None:
            self.close()
            raise DataError(cannot_read(self.source, self.why))
        self.ahead.insert(0, found)
        return found

    def info(self, first: tuple[int, Any]) -> VideoInfo:
        """What the stream says of itself, and its first frame."""
        stream, frame = self.stream, first[1]
        turned = _sideways(frame)
        height, width = (frame.width, frame.height) if turned else (frame.height, frame.width)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        aspect = 1 / aspect if turned and aspect else aspect or Fraction(1)
        return VideoInfo(height, width, Fraction(stream.time_base), rate, self.announced.frames, aspect)

    def seek(self, pts: int) -> bool:
        """Go to the frame with this time; false if there is none."""
        try:
            self.container.seek(pts, stream=self.stream)
        except self.av.error.FFmpegError:
            return False
        for found in self.decoded:
            if found[0] >= pts:
                self.ahead.insert(0, found)
                return found[0] == pts
        return False

    def faults(self, count: int) -> list[str]:
        """What was not read, after the last of so many frames."""
        return self.announced.missing(self.source, count, self.last, self.step, self.damaged, self.why)

    def close(self) -> None:
        """Close the container, and let go of decoder and frames at once."""
        self.decoded.close()
        self.ahead.clear()
        self.container.close()

    def _decoded(self) -> Generator[tuple[int, Any], None, None]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except self.av.error.FFmpegError as error:
                self.damaged, self.why = self.damaged + 1, str(error.strerror or error)
                continue
            for frame in frames:
                self.damaged += bool(frame.is_corrupt)
                known = frame.pts is not None
                self.last = frame.pts if known else 0 if self.last is None else self.last + self.step
                yield self.last, frame

    def _packets(self) -> Iterator[Any]:
        """The packets until the end or a fault of the container; the decoder is always emptied."""
        try:
            yield from self.container.demux(self.stream)
        except self.av.error.FFmpegError as error:
            self.why = str(error.strerror or error)
            yield self.av.Packet(0)


def _video_stream(source: str, container: Any) -> Any:
    """The first stream of a container that is a video and not the cover of an album."""
    videos = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not videos:
        others = sorted({stream.type for stream in container.streams})
        what = f"only {' and '.join(others)}" if others else "it is empty: was the recording broken off?"
        raise DataError(f"{source}: no video in it, {what}; give a file with a video")
    if videos[0].codec_context is None:
        raise DataError(
            f"{source}: its video codec is unknown to this build of FFmpeg: convert it, such as by "
            "`ffmpeg -i IN -c:v libx264 OUT.mp4`"
        )
    return videos[0]


def _display(frame: Any) -> NDArray[np.int32] | None:
    """The (2, 2) part of a frame's display matrix without its scale; ``None`` if the frame is stored upright."""
    found = [part for part in frame.side_data if part.type.name == "DISPLAYMATRIX"]
    if not found:
        return None
    return np.sign(np.frombuffer(bytes(found[0]), np.int32).reshape(3, 3)[:2, :2].astype(np.float64).round(-3)).astype(
        np.int32
    )


def _sideways(frame: Any) -> bool:
    """Whether rows of the stored frame are columns of the upright one."""
    matrix = _display(frame)
    return matrix is not None and not matrix[0, 0]


def upright(frame: Any) -> Image:
    """The pixels of a frame of PyAV, (H, W, 3) uint8 RGB, turned and mirrored as its display matrix says.

    The matrix maps stored to shown pixels by x' = a x + c y and y' = b x + d y, with rows (a, b) and (c, d).
    """
    image: Image = frame.to_ndarray(format="rgb24")
    matrix = _display(frame)
    if matrix is None:
        return image
    (a, b), (c, d) = matrix.tolist()
    if not a:
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
