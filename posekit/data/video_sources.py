"""Which sources are videos, and how each is opened: files, cameras, streams of the network, folders of images."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from posekit.data.errors import DataError
from posekit.data.image_files import SUFFIXES as IMAGES
from posekit.data.video import Video, VideoFile
from posekit.data.video_camera import Camera
from posekit.data.video_folder import ImageFolder, natural

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
    *(".3gp", ".ogv", ".vob", ".mxf", ".nut", ".h264", ".264", ".h265", ".265", ".hevc", ".gif"),
)
"""Endings of video files."""
LIVE = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "rtp://", "udp://", "tcp://", "srt://")
"""Addresses whose frames come at their own pace."""
STREAMS = (*LIVE, "http://", "https://")
"""Addresses of the network."""
RATE = 30.0
"""Frames a second of a folder of images."""


def is_video(source: str | Path) -> bool:
    """Whether a source is a video file by its ending or its content, a camera by number, or an address.

    A file with another ending is one if it starts as the usual containers do. Folders and patterns are no videos, but
    patterns that end like one.
    """
    text = str(source)
    if is_stream(text) or is_camera(text):
        return True
    suffix = Path(text).suffix.lower()
    if suffix in IMAGES:
        return False
    return suffix in SUFFIXES or (Path(text).is_file() and _starts_like_a_video(Path(text)))


def is_stream(source: str) -> bool:
    """Whether it is an address of the network."""
    return source.lower().startswith(STREAMS)


def is_camera(source: str) -> bool:
    """Whether it is the number of a camera, and no file or folder of that name exists."""
    return re.fullmatch(r"\d{1,3}", source, re.ASCII) is not None and not Path(source).exists()


def video_sources(sources: Sequence[str | Path]) -> list[str]:
    """Sources with glob patterns replaced by the files they name, each once.

    Raises:
        DataError: a pattern names no file.
    """
    found: dict[str, None] = {}
    for source in map(str, sources):
        if is_stream(source) or Path(source).exists() or not glob.has_magic(source):
            found[source] = None
            continue
        files = sorted(glob.glob(source, recursive=True), key=natural)  # noqa: PTH207
        if not files:
            raise DataError(f"{source}: no file there")
        found.update(dict.fromkeys(files))
    return list(found)


def open_video(source: str | Path, rate: float = RATE) -> Video:
    """Open a source.

    Args:
        source: a video file, the number of a camera, an address of the network, or a folder of images.
        rate: frames a second of a folder of images.

    Raises:
        DataError: it cannot be opened, or has no frame.
        ModuleNotFoundError: PyAV is not installed.
    """
    text = str(source)
    if is_stream(text):
        return VideoFile(text, repeatable=False, live=text.lower().startswith(LIVE))
    if is_camera(text):
        return Camera(int(text))
    if Path(text).is_dir():
        return ImageFolder(Path(text), rate)
    return VideoFile(Path(text))


def short_name(source: str | Path) -> str:
    """A name for the files made from a source: the stem of a file, or what an address ends with.

    >>> short_name("clips/a.mp4"), short_name("0"), short_name("rtsp://me:secret@host:554/door?x=1")
    ('a', 'camera-0', 'host-554-door')
    """
    text = str(source)
    if is_stream(text):
        place = text.partition("://")[2].partition("?")[0].rpartition("@")[2]
        return re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.") or "stream"
    if is_camera(text):
        return f"camera-{text}"
    path = Path(text)
    return path.resolve().name if path.is_dir() else path.stem


def _starts_like_a_video(path: Path) -> bool:
    """By the first bytes: MP4 and QuickTime, Matroska, AVI, MPEG."""
    with path.open("rb") as opened:
        start = opened.read(16)
    return (
        start[4:8] in (b"ftyp", b"moov", b"mdat")
        or start.startswith((b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"FLV\x01"))
        or (start.startswith(b"RIFF") and start[8:12] == b"AVI ")
    )
