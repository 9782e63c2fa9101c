"""Tracks to a temporal network: synthetic people, and files of points over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from posekit.data.clip_files import read_clip
from posekit.data.clips import Clip, missing
from posekit.data.errors import DataError
from posekit.data.labelled_tracks import CORRELATIONS, LabelledTrack, synthetic_tracks, with_errors
from posekit.exporting.temporal import write_temporal
from posekit.extras import require
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import Track, tracks_of
from posekit.models.temporal import Temporal
from posekit.skeletons import SKELETONS
from posekit.training.temporal import TemporalTraining, train_temporal


@dataclass(frozen=True, eq=False)
class Tracks:
    """Tracks to train on.

    Args:
        skeleton: of their points.
        tracks: all of them.
        files: number of tracks of each file.
    """

    skeleton: Skeleton
    tracks: tuple[LabelledTrack, ...]
    files: dict[str, int]

    @property
    def with_depth(self) -> int:
        """Number of tracks of which some depth is known."""
        return sum(bool(track.depth_known.any()) for track in self.tracks)


def tracks_to_learn(
    files: Sequence[Path] = (),
    measured: Sequence[Path] = (),
    *,
    skeleton: str = "coco17",
    synthetic: int = 1000,
    fps: float | None = None,
    seed: int = 0,
) -> Tracks:
    """Synthetic tracks, and those of files.

    Args:
        files: points over time that are true, with ids; see `posekit.data.clip_files.FORMATS`. Depths in them are about
            the root. A point with score 0 is not labelled.
        measured: for each of ``files`` what a model found, with the same ids and times; none: the errors of a shipped
            model are added to the true points.
        skeleton: a known one, of synthetic tracks; the points of ``files`` must be the same.
        synthetic: number of synthetic tracks.
        fps: frames a second of files without times.
        seed: of synthetic tracks and of errors.

    Raises:
        DataError: a file is invalid, has no ids or other points, or two that belong together share no frame.
        ValueError: there is no such skeleton, another number of measured files than of true ones, or no track at all.
    """
    if skeleton not in SKELETONS:
        raise ValueError(f"there is no skeleton {skeleton!r}; known: {', '.join(SKELETONS)}")
    if measured and len(measured) != len(files):
        raise ValueError(
            f"{len(files)} files of true points and {len(measured)} of measured ones: give one for each, in their order"
        )
    if not files and synthetic < 1:
        raise ValueError("there is nothing to train on: give files of true points, or a number of synthetic tracks")
    points = SKELETONS[skeleton]
    rng = np.random.default_rng(seed)
    found, counts = synthetic_tracks(points, synthetic, seed), {}
    for number, file in enumerate(files):
        true = _read(file, points, fps)
        if measured:
            pair = _read(measured[number], points, fps)
            tracks = _paired(true, pair, file, measured[number])
        else:
            tracks = [_with_errors(track, points, rng) for track in true.values()]
        counts[str(file)] = len(tracks)
        found += tracks
    return Tracks(points, tuple(found), counts)


def train_temporal_folder(
    tracks: Tracks,
    out: str | Path,
    model: Temporal | None = None,
    training: TemporalTraining | None = None,
    seen: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> float:
    """Train a temporal network and write its folder.

    Args:
        tracks: to train on.
        out: folder for ``model.onnx``, ``model.safetensors`` and ``config.json``.
        model: sizes; ``None``: the defaults.
        training: settings; ``None``: the defaults.
        seen: see `train_temporal`.

    Returns:
        The largest difference between the network and the exported file, object sizes.

    Raises:
        ModuleNotFoundError: the package onnx is not installed.
    """
    require("onnx", "export to ONNX")
    model, training = model or Temporal(), training or TemporalTraining()
    losses: dict[str, float] = {}

    def kept(step: int, found: dict[str, float]) -> None:
        losses.update(found)
        seen(step, found)

    net = train_temporal(tracks.tracks, tracks.skeleton, model, training, kept)
    about = {
        "training": asdict(training),
        "tracks": {"all": len(tracks.tracks), "with depth": tracks.with_depth, "files": tracks.files},
        "last losses": losses,
    }
    return write_temporal(
        net, Path(out), tracks.skeleton, lifts=tracks.with_depth > 0 and training.depth > 0, about=about
    )


def _read(file: Path, skeleton: Skeleton, fps: float | None) -> dict[int, Track]:
    """The tracks of a file by id."""
    clip: Clip = read_clip(file, None)
    if clip.skeleton.points != skeleton.points:
        raise DataError(
            f"{file}: has the points {', '.join(clip.skeleton.points)}; expected those of {skeleton.name}: "
            f"{', '.join(skeleton.points)}. Map them, or give --skeleton"
        )
    if not clip.has_ids:
        raise DataError(f"{file}: instances have no ids: give them with posekit smooth --filter none")
    return {track.id: track for track in tracks_of(clip.frames, clip.clock(fps)) if track.id >= 0}


def _with_errors(track: Track, skeleton: Skeleton, rng: np.random.Generator) -> LabelledTrack:
    correlation = float(np.exp(rng.uniform(*np.log(CORRELATIONS))))
    known = ~missing(track.poses)
    depth = _depth(track.poses, known)
    return with_errors(track.times, track.poses.xy, skeleton, correlation, rng, known=known, depth=depth)


def _depth(true: Poses, known: np.ndarray) -> np.ndarray:
    """(T, K) true depth, not a number where it is unknown."""
    return np.full(known.shape, np.nan) if true.depth is None else np.where(known, true.depth, np.nan)


def _paired(true: dict[int, Track], found: dict[int, Track], file: Path, measured: Path) -> list[LabelledTrack]:
    """Tracks of both files that have the same id, in the frames of both."""
    tracks = []
    for one in sorted(set(true) & set(found)):
        _, ours, theirs = np.intersect1d(true[one].times, found[one].times, return_indices=True)
        if not len(ours):
            continue
        right, seen = true[one].poses[ours], found[one].poses[theirs]
        known, there = ~missing(right), ~missing(seen)
        depth = _depth(right, known)
        tracks.append(
            LabelledTrack(
                times=true[one].times[ours],
                xy=np.where(there[..., None], seen.xy, 0.0),
                score=np.where(there, np.clip(seen.score, 0, 1), 0.0),
                true=np.where(known[..., None], right.xy, 0.0),
                known=known,
                depth=np.nan_to_num(depth),
                depth_known=np.isfinite(depth),
            )
        )
    if not tracks:
        raise DataError(f"{file} and {measured}: no instance with the same id has a frame at the same time in both")
    return tracks
