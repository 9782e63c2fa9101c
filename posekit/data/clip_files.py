"""Points over time from and to files: which format a file has, and what it is read and written by."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posekit.data import clip_coco, clip_dlc, clip_lines, clip_npz, clip_openpose, clip_table
from posekit.data.clips import Clip
from posekit.data.errors import DataError, read_content
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS
from posekit.words import nearest


@dataclass(frozen=True)
class Format:
    """A format of points over time.

    Args:
        about: what it is, for messages.
        suffixes: of its files; empty for folders.
        read: reads a file, with a skeleton that names the points or ``None``.
        write: writes a clip that this format has read.
    """

    about: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Skeleton | None], Clip]
    write: Callable[[Clip, Path], None]


FORMATS: dict[str, Format] = {
    "coco": Format("COCO results (JSON)", (".json",), clip_coco.read, clip_coco.write),
    "openpose": Format("OpenPose's folder", (), clip_openpose.read, clip_openpose.write),
    "dlc": Format("DeepLabCut's csv", (".csv",), clip_dlc.read, clip_dlc.write),
    "table": Format("posekit's CSV table", (".csv",), clip_table.read, clip_table.write),
    "npz": Format("posekit's .npz", (".npz",), clip_npz.read, clip_npz.write),
    "lines": Format("posekit's JSON lines", (".jsonl", ".ndjson"), clip_lines.read, clip_lines.write),
}
"""Formats by name; `format_of` tells them apart."""

_ELSEWHERE = {
    ".h5": "save it as csv (DeepLabCut: save_as_csv=True, or deeplabcut.analyze_videos_converth5_to_csv)",
    ".hdf5": "save it as csv",
    ".slp": "save it as csv with SLEAP",
    ".mp4": "it is a video: find its points first with posekit predict",
    ".avi": "it is a video: find its points first with posekit predict",
}


def format_of(path: Path) -> str:
    """Name of the format of a file or folder.

    Raises:
        DataError: it has none of `FORMATS`, or is missing.
    """
    if path.is_dir():
        return "openpose"
    suffix = path.suffix.lower()
    known = "; ".join(f"{form.about}" for form in FORMATS.values())
    if suffix in _ELSEWHERE:
        raise DataError(f"{path}: {suffix} is not read; {_ELSEWHERE[suffix]}. Read are: {known}")
    if suffix == ".csv":
        first = read_content(path, "a table of points")[:4096].decode("utf-8", "replace").lstrip().split(",")[0]
        return "dlc" if first.strip().strip('"') == "scorer" else "table"
    for name, form in FORMATS.items():
        if suffix in form.suffixes:
            return name
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected one of: {known}")
    raise DataError(f"{path}: a file {suffix or 'without a suffix'} is not read; expected one of: {known}")


def named_points(points: str | None) -> Skeleton | None:
    """The skeleton that ``--points`` means: a known one, or names in their order separated by commas.

    Raises:
        ValueError: there is none of that name.
    """
    if points is None:
        return None
    if "," in points:
        return Skeleton(name="points", points=tuple(name.strip() for name in points.split(",")))
    if points not in SKELETONS:
        raise ValueError(nearest(points, list(SKELETONS), "skeleton") + "; or give all names, separated by commas")
    return SKELETONS[points]


def read_clip(path: Path | str, points: str | None = None) -> Clip:
    """Read points over time.

    Args:
        path: a file, or OpenPose's folder; see `FORMATS`.
        points: names of the points where the file has none: a known skeleton, or names separated by commas.

    Raises:
        DataError: the file is invalid, has none of the formats, or its times do not increase.
        ValueError: there is no skeleton of that name.
    """
    path = Path(path)
    asked = named_points(points)
    clip = FORMATS[format_of(path)].read(path, asked)
    if clip.times is not None:
        bad = np.flatnonzero(~(np.diff(clip.times) > 0))
        if len(bad):
            n = int(bad[0])
            raise DataError(
                f"{path}: times must increase from frame to frame; frame {n} has {clip.times[n]:g} s and frame "
                f"{n + 1} {clip.times[n + 1]:g} s: correct them, or leave them out and give --fps"
            )
    return clip


def write_clip(clip: Clip, path: Path | str, source: Path | str) -> Path:
    """Write a clip in the format of the file that it was read from.

    Args:
        clip: with the same frames as the one that was read.
        path: to write to; what exists is replaced, except the source.
        source: the file or folder that it was read from.

    Raises:
        DataError: ``path`` is the source, or does not have a name of the format.
    """
    path, source = Path(path), Path(source)
    form = check_target(path, source)
    form.write(clip, path)
    return path


def check_target(path: Path, source: Path) -> Format:
    """The format of a source, if it can be written to ``path``.

    Raises:
        DataError: it cannot, as in `write_clip`.
    """
    form = FORMATS[format_of(source)]
    if os.path.realpath(path) == os.path.realpath(source):
        raise DataError(f"{path}: is the file that is read; give another name with --out")
    if not form.suffixes and path.is_file():
        raise DataError(f"{path}: is a file; {source} is {form.about}, so give a folder with --out")
    if form.suffixes and path.is_dir():
        raise DataError(f"{path}: is a folder; {source} is {form.about}, so give a file with --out")
    if form.suffixes and path.suffix.lower() not in form.suffixes:
        fix = path.with_suffix(source.suffix)
        raise DataError(f"{path}: {source} is {form.about}, which is written as it was read; give --out {fix}")
    return form
