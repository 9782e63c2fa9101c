"""`posekit.angles`: angles and bone lengths over time, from files of points to tables and pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posekit.data.clip_files import read_clip
from posekit.data.clips import FPS, Clip, Float
from posekit.data.errors import DataError
from posekit.geometry.tracks import tracks_of
from posekit.metrics.named_angles import EVERY, named_angles, named_lengths
from posekit.metrics.series import UNITS, Kind, Series, TrackSeries, series
from posekit.postprocess.clip_tracks import with_ids
from posekit.postprocess.track import Tracking
from posekit.visualize.time_series import panels


@dataclass(frozen=True, eq=False)
class Measured:
    """Angles and lengths of a clip.

    Args:
        series: those that were asked for: angles, lengths.
        files: tables and pictures that were written.
        frames: number of frames.
        tracks: number of instances over time.
        has_spread: whether the points had standard deviations, and so the series have.
        notes: sentences on what was assumed or left out.
    """

    series: tuple[Series, ...]
    files: tuple[Path, ...]
    frames: int
    tracks: int
    has_spread: bool
    notes: tuple[str, ...]


def angles(
    source: str | Path,
    out: str | Path | None = None,
    *,
    angles: Sequence[str] = (),
    lengths: Sequence[str] = (),
    signed: bool = False,
    threshold: float = 0.3,
    fps: float | None = None,
    points: str | None = None,
    tracking: Tracking | None = None,
) -> Measured:
    """Angles and bone lengths over time, in the image plane.

    The standard deviation of each follows to first order from that of the points (``spread``), where the file has it.

    Args:
        source: points over time; see `posekit.data.clip_files.FORMATS`.
        out: where tables and pictures go, without suffix: OUT.angles.csv, OUT.angles.svg, OUT.lengths.csv, ...;
            ``None`` writes nothing.
        angles: "all" for those of a body (elbow, shoulder, hip, knee, ankle), names of these, or ``NAME=A,B,C`` for the
            angle at point B; with neither angles nor lengths: "all".
        lengths: "all" for the bones of the skeleton, names of these (A-B), or ``NAME=A,B``.
        signed: angles from A to C, clockwise on the screen, with their sign and without jumps by 360 degrees; else in
            [0, 180].
        threshold: points whose score does not exceed it are missing, and what depends on them is empty.
        fps: frames a second; ``None``: the times of the file, else 30.
        points: names of the points where the file has none; see `posekit.data.clip_files.read_clip`.
        tracking: settings for files without ids; ``None``: the defaults.

    Raises:
        DataError: the file is invalid, or has no instances that can be tracked.
        ValueError: an angle, a length or a point is unknown.
    """
    source = Path(source)
    clip = read_clip(source, points)
    asked: dict[Kind, dict[str, tuple[int, ...]]] = {
        "angles": named_angles(angles or (() if lengths else (EVERY,)), clip.skeleton),
        "lengths": named_lengths(lengths, clip.skeleton),
    }
    times = clip.clock(fps)
    clip, tracked = with_ids(clip, times, tracking)
    tracks = [track for track in tracks_of(clip.frames, times) if track.id >= 0]
    found = tuple(series(kind, named, tracks, threshold, signed) for kind, named in asked.items() if named)
    notes = list(assumed(clip, fps))
    if tracked:
        notes.append(f"the file has no ids: tracking gave {len(tracks)}")
    files: list[Path] = []
    if out is not None:
        for one in found:
            files += _written(one, Path(out), source, clip, notes)
    spread = any(track.spread is not None for one in found for track in one.tracks)
    return Measured(found, tuple(files), len(clip), len(tracks), spread, tuple(notes))


def assumed(clip: Clip, fps: float | None) -> tuple[str, ...]:
    """Notes of a clip, and whether its times were assumed."""
    if fps is None and clip.times is None:
        return (*clip.notes, f"the file has no times: {FPS:g} frames a second assumed; --fps gives another number")
    return clip.notes


def _written(one: Series, out: Path, source: Path, clip: Clip, notes: list[str]) -> Iterator[Path]:
    """Write the table and the picture of a series."""
    table, picture = (out.with_name(f"{out.name}.{one.kind}{suffix}") for suffix in (".csv", ".svg"))
    if table.resolve() == source.resolve():
        raise DataError(f"{table}: is the file that is read; give another name with --out")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_series(one, table, clip.numbers)
    yield table
    curves = {track.id: (track.times, track.values) for track in one.tracks}
    drawn, left = panels(f"{one.kind} of {source.name}", one.names, curves, UNITS[one.kind])
    picture.write_text(drawn + "\n", encoding="utf-8")
    yield picture
    if left:
        notes.append(f"{picture} has no room for {left} more panels; {table} has everything")


def write_series(one: Series, file: Path, numbers: np.ndarray) -> None:
    """Write a table: ``frame``, ``time``, ``id``, a column for each name, and ``NAME_sd`` where spreads are known.

    Args:
        one: to be written.
        file: to write to; it appears when it is complete.
        numbers: (F,) number of each frame of the clip.
    """
    spread = any(track.spread is not None for track in one.tracks)
    columns = [name for name in one.names for name in ([name, f"{name}_sd"] if spread else [name])]
    beside = file.with_name(f"{file.name}.tmp")
    with beside.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["frame", "time", "id", *columns])
        rows = [row for track in one.tracks for row in _rows(track, numbers, spread)]
        writer.writerows(cells for _, cells in sorted(rows, key=lambda row: row[0]))
    beside.replace(file)


def _rows(track: TrackSeries, numbers: np.ndarray, spread: bool) -> Iterator[tuple[tuple[int, int], list[object]]]:
    sd: Float = np.full_like(track.values, np.nan) if track.spread is None else track.spread
    values = np.stack([track.values, sd], -1).reshape(len(track.values), -1) if spread else track.values
    for frame, time, row in zip(numbers[track.frames].tolist(), track.times.tolist(), values.tolist(), strict=True):
        cells = ["" if np.isnan(value) else f"{value:.4f}" for value in row]
        yield (frame, track.id), [frame, f"{time:.6g}", track.id, *cells]
