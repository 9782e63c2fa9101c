"""Tracks to learn from: what a model saw of a person over time, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.error_process import ErrorProcess
from posekit.data.moving_people import moving_person, turning_person
from posekit.geometry.boxes import around, extent
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import held

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]

RATES = (8.0, 65.0)
"""Frame rates of synthetic tracks, frames a second."""
CORRELATIONS = (0.02, 0.3)
"""Correlation times of errors, seconds; every fourth track has errors that are independent from frame to frame."""
UNEVEN = 0.2
"""Share of tracks with dropped frames and uneven times."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTrack:
    """A track with its truth.

    Args:
        times: (T,) seconds, increasing.
        xy: (T, K, 2) measured, pixels; finite.
        score: (T, K) in [0, 1]; 0: missing.
        true: (T, K, 2) pixels; finite.
        known: (T, K) bool: where the truth is known.
        depth: (T, K) true depth about the root, pixels, away from the camera; finite; 0 where it is not known.
        depth_known: (T, K) bool.
    """

    times: NDArray[np.float64]
    xy: Float
    score: Float
    true: Float
    known: Bool
    depth: Float
    depth_known: Bool

    def __len__(self) -> int:
        return len(self.times)

    @property
    def size(self) -> Float:
        """(T,) size of the object: mean of width and height of the box around the true points, pixels."""
        size = extent(around(self.true, self.known)).mean(-1)
        some = self.known.sum(-1) > 1
        usual = np.median(size[some]) if some.any() else 1.0
        return np.asarray(np.where(some & (size > 0), size, usual if usual > 0 else 1.0))

    def without_depth(self) -> LabelledTrack:
        """The same track, its depth unknown."""
        return replace(self, depth=np.zeros_like(self.depth), depth_known=np.zeros_like(self.depth_known))


def with_errors(
    times: NDArray[np.float64],
    true: Float,
    skeleton: Skeleton,
    correlation: float,
    rng: np.random.Generator,
    *,
    known: Bool | None = None,
    depth: Float | None = None,
    process: ErrorProcess | None = None,
) -> LabelledTrack:
    """A true track with the errors of a model added.

    Args:
        times: (T,) seconds.
        true: (T, K, 2) pixels.
        skeleton: of K points.
        correlation: of the errors, seconds; see `ErrorProcess.draw`.
        rng: source of randomness.
        known: (T, K) bool, where the truth is known; ``None``: everywhere. Nothing is measured elsewhere.
        depth: (T, K) about the root, pixels; not a number where unknown; ``None``: nowhere.
        process: the errors; ``None``: those of a shipped model.
    """
    known = np.ones(true.shape[:2], bool) if known is None else known
    deep = np.full(true.shape[:2], np.nan) if depth is None else depth
    blank = LabelledTrack(
        times=times,
        xy=true,
        score=known.astype(np.float64),
        true=np.where(known[..., None], true, 0.0),
        known=known,
        depth=np.nan_to_num(deep),
        depth_known=np.isfinite(deep),
    )
    process = process or ErrorProcess.load()
    xy, score = process.draw(blank.true, blank.size, times, skeleton, correlation, rng)
    # An exchange with a point whose place is not known leaves nothing.
    there = known & known[:, list(skeleton.flip)]
    return replace(blank, xy=np.where(there[..., None], xy, blank.true), score=np.where(there, score, 0.0))


def synthetic_tracks(
    skeleton: Skeleton, count: int, seed: int, *, frames: int = 220, turning: float = 0.5
) -> list[LabelledTrack]:
    """Synthetic people who move, at frame rates of `RATES`, with the errors of a shipped model.

    Args:
        skeleton: of the points.
        count: number of tracks.
        seed: of everything; different seeds share no person.
        frames: of each track.
        turning: share of people who turn and whose depth is known; the others move in a plane, their depth unknown.
    """
    process, found = ErrorProcess.load(), []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        fps = float(np.exp(rng.uniform(*np.log(RATES))))
        person = int(rng.integers(1 << 32, 1 << 48))
        depth: Float | None = None
        if rng.random() < turning:
            times, true, depth = turning_person(skeleton, frames / fps, fps, person)
        else:
            times, true = moving_person(skeleton, frames / fps, fps, person)
        if rng.random() < UNEVEN:
            kept = np.flatnonzero(rng.random(len(times)) < 0.8)
            times, true = times[kept], true[kept]
            depth = None if depth is None else depth[kept]
        correlation = 0.0 if number % 4 == 0 else float(np.exp(rng.uniform(*np.log(CORRELATIONS))))
        found.append(with_errors(times, true, skeleton, correlation, rng, depth=depth, process=process))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class TrackBatch:
    """Pieces of tracks of equal length, in object sizes.

    Args:
        points: (B, T, K, 3) float32 measured x, y and 0; a missing point holds its last location.
        score: (B, T, K) float32; 0: missing.
        step: (B, T) float32 seconds since the frame before.
        true: (B, T, K, 2) float32.
        known: (B, T, K) bool.
        begun: (B, T) bool: frames since the track began.
        depth: (B, T, K) float32 about the root.
        depth_known: (B, T, K) bool.
    """

    points: Float
    score: Float
    step: Float
    true: Float
    known: Bool
    begun: Bool
    depth: Float
    depth_known: Bool


def batch_of(
    tracks: Sequence[LabelledTrack], skeleton: Skeleton, size: int, frames: int, rng: np.random.Generator
) -> TrackBatch:
    """Draw pieces of tracks, each mirrored, turned, scaled and run backward at random, with points that are missing.

    Args:
        tracks: of one skeleton; shorter ones begin within the piece.
        skeleton: of the points.
        size: number of pieces.
        frames: of each.
        rng: source of randomness.
    """
    chosen = rng.integers(0, len(tracks), size)
    pieces = [_piece(tracks[number], skeleton, frames, rng) for number in chosen]
    joined = [np.stack(column) for column in zip(*pieces, strict=True)]
    xy, score, step, true, known, begun, depth, depth_known = joined
    score = np.where(_missing(score.shape, rng), 0.0, score)
    points = np.concatenate([held(xy, score > 0)[0], np.zeros((*xy.shape[:3], 1))], -1)
    numbers = (np.asarray(array, np.float32) for array in (points, score, step, true))
    points, score, step, true = numbers
    return TrackBatch(points, score, step, true, known, begun, depth.astype(np.float32), depth_known)


def _piece(track: LabelledTrack, skeleton: Skeleton, frames: int, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
    """The fields of a piece: frames before the track begins have score 0."""
    length = len(track)
    late = frames - length if length < frames else int(rng.integers(1, frames // 2)) if rng.random() < 0.25 else 0
    first = int(rng.integers(0, max(length - (frames - late), 0) + 1))
    rows = np.arange(first - late, first - late + frames)
    begun, rows = rows >= first, np.maximum(rows, first)
    if rng.random() < 0.5:
        rows = length - 1 - rows
    times, size = track.times[rows], np.median(track.size[rows]) * rng.uniform(0.85, 1.2)
    step = np.abs(np.diff(times, prepend=times[0]))
    step[step == 0] = np.median(np.diff(track.times)) if length > 1 else 0.04
    turn = rng.uniform(-0.3, 0.3)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / size
    origin = track.true[rows][track.known[rows]].mean(0) if track.known[rows].any() else np.zeros(2)
    order: NDArray[np.int64] = np.arange(len(skeleton.points))
    if skeleton.flippable and rng.random() < 0.5:
        matrix, order = matrix @ np.diag([-1.0, 1.0]), np.array(skeleton.flip)
    score = track.score[rows][:, order] * begun[:, None]
    return (
        (track.xy[rows][:, order] - origin) @ matrix.T,
        score,
        step,
        (track.true[rows][:, order] - origin) @ matrix.T,
        track.known[rows][:, order],
        begun,
        track.depth[rows][:, order] / size,
        track.depth_known[rows][:, order],
    )


def _missing(shape: tuple[int, ...], rng: np.random.Generator) -> Bool:
    """(B, T, K) points that are left out: some for a single frame, some for up to twelve frames in a row."""
    b, t, k = shape
    single = rng.random(shape) < 0.02 * (rng.random((b, 1, 1)) < 0.5)
    start, long = rng.integers(0, t, (b, 1, k)), rng.integers(2, 13, (b, 1, k))
    frame = np.arange(t)[None, :, None]
    gap = (frame >= start) & (frame < start + long) & (rng.random((b, 1, k)) < 0.15)
    return np.asarray(single | gap)
