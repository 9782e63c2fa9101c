"""Write an H.264 video in segments, so that what is finished survives when the program is killed.

A segment is a file of a fixed number of frames, renamed to its name when it is complete. At the end the segments are
joined to one MP4 without encoding again. Each is encoded on its own with fixed settings, so that a video made in two
runs has the same frames as one made in one. Times are kept, also at a variable rate.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.video import VideoInfo
from posekit.extras import require

Image = NDArray[np.uint8]

LENGTH = 240
"""Frames in a segment."""
SUFFIX = ".nut"
"""FFmpeg's own container: it keeps any time base."""
OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0", "threads": "1", "tune": "zerolatency"}
"""Of x264. Without B-frames packets are in order of presentation. One thread, and no look at later frames: with either,
x264 now and then writes other bytes for the same frames, and a resumed run would not equal an unbroken one."""
BT709 = 1
"""FFmpeg's number of this colour space, its primaries and its transfer function."""


class SegmentWriter:
    """Writes frames to the segments of a folder; frames come in order, the first one begins a segment.

    Args:
        folder: of the segments; made where missing.
        info: of the video; frames of another size than it says are scaled.
        first: index of the first frame that will be written, a multiple of ``length``.
        length: frames in a segment.

    Raises:
        RuntimeError: this build of PyAV has no H.264 encoder.
        OSError: a file cannot be written.
    """

    def __init__(self, folder: Path, info: VideoInfo, first: int = 0, length: int = LENGTH) -> None:
        if first % length:
            raise ValueError(f"segments have {length} frames, so one cannot begin at frame {first}")
        self.av: Any = require("av", "writing videos")
        self.folder, self.info, self.length = folder, info, length
        self.encoder = _encoder(self.av)
        self.number = first // length
        self.count = 0
        self.size = (info.height, info.width)
        self._container: Any = None
        self._stream: Any = None
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, pts: int, image: Image) -> None:
        """Encode one frame.

        Args:
            pts: ticks of the video's time base, increasing.
            image: (H, W, 3) uint8 RGB; odd sizes are padded by a row or column, which H.264 needs.
        """
        image = self._fitted(image)
        if self._container is None:
            self._open(image)
        frame = self.av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=1)
        frame.pts, frame.time_base = pts * self.info.time_base.numerator, self._stream.codec_context.time_base
        self._mux(frame)
        self.count += 1
        if self.count == self.length:
            self._complete()

    def close(self) -> None:
        """Complete the last segment, which may be shorter; there are no more frames."""
        if self._container is not None:
            self._complete()

    def abandon(self) -> None:
        """Drop the segment that is not complete."""
        if self._container is not None:
            container, self._container = self._container, None
            try:
                container.close()
            except self.av.error.FFmpegError:
                pass
        self._beside().unlink(missing_ok=True)

    def _fitted(self, image: Image) -> Image:
        height, width = image.shape[:2]
        if (height, width) != self.size:
            image = np.asarray(cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            height, width = self.size
        odd = ((0, height % 2), (0, width % 2), (0, 0))
        return np.pad(image, odd, mode="edge") if height % 2 or width % 2 else np.ascontiguousarray(image)

    def _beside(self) -> Path:
        return self.folder / f"{self.number:06d}.tmp"

    def _open(self, image: Image) -> None:
        self._container = self.av.open(str(self._beside()), "w", format=SUFFIX[1:])
        stream = self._container.add_stream(self.encoder, options=OPTIONS)
        stream.height, stream.width, stream.pix_fmt = image.shape[0], image.shape[1], "yuv420p"
        base = Fraction(1, self.info.time_base.denominator)
        stream.time_base = stream.codec_context.time_base = base
        if self.info.rate > 0:
            stream.codec_context.framerate = Fraction(self.info.rate).limit_denominator(100_000)
        stream.codec_context.sample_aspect_ratio = self.info.aspect
        for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
            setattr(stream.codec_context, name, BT709)
        self._stream = stream

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _complete(self) -> None:
        self._mux(None)
        container, self._container = self._container, None
        container.close()
        beside = self._beside()
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(beside.with_suffix(SUFFIX))
        self.number, self.count = self.number + 1, 0


def segments(folder: Path) -> list[Path]:
    """The complete segments of a folder, from the first to the one before the first that is missing."""
    found: list[Path] = []
    while (file := folder / f"{len(found):06d}{SUFFIX}").is_file():
        found.append(file)
    return found


def join(files: list[Path], target: Path) -> Path:
    """Join segments to one MP4, which appears when it is complete; nothing is encoded again.

    Args:
        files: at least one, in order.
        target: the MP4.

    Raises:
        OSError: it cannot be written.
    """
    av: Any = require("av", "writing videos")
    beside = target.with_name(f"{target.name}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(files[0])) as opened:
        ticks = opened.streams.video[0].time_base.denominator
    # The time of the first frame is kept in units of the movie's time scale. The index goes to the front, for browsers.
    options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
    stream: Any = None
    try:
        with av.open(str(beside), "w", format="mp4", options=options) as out:
            for file in files:
                with av.open(str(file)) as opened:
                    source = opened.streams.video[0]
                    if stream is None:
                        stream = out.add_stream_from_template(source)
                        stream.time_base = source.time_base
                    for packet in opened.demux(source):
                        if packet.dts is not None:
                            packet.stream = stream
                            out.mux(packet)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _encoder(av: Any) -> str:
    """The name of an H.264 encoder.

    Raises:
        RuntimeError: there is none.
    """
    for name in ("libx264", "h264"):
        try:
            av.codec.Codec(name, "w")
        except (ValueError, LookupError):
            continue
        return name
    raise RuntimeError(
        "this build of PyAV has no H.264 encoder, so no video can be written: install the one of PyPI by `pip install "
        "--force-reinstall av`, or leave out the pictures (--no-pictures)"
    )
