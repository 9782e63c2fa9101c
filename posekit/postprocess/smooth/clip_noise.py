"""How noisy the points of a clip are and how much they move, from the tracks alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import around, extent, usable
from posekit.geometry.tracks import Track

Float = NDArray[np.floating]

SPAN = 0.4
"""Longest step between the three frames of a second difference, seconds."""
LEAST_FRAMES = 20
"""Second differences of a point below which the defaults are taken."""
DEFAULT_NOISE, DEFAULT_MOTION, DEFAULT_TRUST = 0.02, 3.0, 1.0
LEAST_NOISE, LEAST_MOTION = 1e-4, 0.05


@dataclass(frozen=True, slots=True)
class ClipNoise:
    """What a clip says about its noise.

    Args:
        fps: frames a second; 25 where no track has two frames.
        noise: for each point, the standard deviation of a location with score 1, object sizes.
        motion: for each point, the standard deviation of the change of speed in a second, object sizes per second.
        trust: by which power of its score a location is more certain.
    """

    fps: float
    noise: tuple[float, ...]
    motion: tuple[float, ...]
    trust: float


def clip_noise(tracks: Sequence[Track]) -> ClipNoise:
    """Estimate noise and motion from second differences over steps of different length.

    Over a step h their variance is ``6 r + 2/3 q h^3`` for white noise of variance r and white acceleration q.
    Variances are medians of absolute values, so single outliers do not count. Points with too few frames get defaults.

    Args:
        tracks: of a clip, one skeleton.

    Raises:
        ValueError: there is no track.
    """
    if not tracks:
        raise ValueError("there is no track to estimate noise from")
    fps = frame_rate(tracks)
    points = tracks[0].poses.xy.shape[1]
    steps = [k for k in (1, 2, 3, 4, 6, 8, 12, 16, 24) if k == 1 or k / fps <= SPAN]
    found = [_differences(tracks, k) for k in steps]
    trust = _trust(*found[0])
    variance = np.stack([_variance(off, score, trust) for off, score in found])
    enough = np.isfinite(found[0][0][..., 0]).sum(0) >= LEAST_FRAMES
    noise, motion = np.full(points, DEFAULT_NOISE), np.full(points, DEFAULT_MOTION)
    for point in np.flatnonzero(enough):
        noise[point], motion[point] = _fit(variance[:, point], np.array(steps) / fps)
    return ClipNoise(fps, tuple(noise.round(6).tolist()), tuple(motion.round(4).tolist()), trust)


def frame_rate(tracks: Sequence[Track]) -> float:
    """Frames a second: the median over the tracks' steps."""
    rates = [np.diff(track.frames) / np.diff(track.times) for track in tracks if len(track) > 1]
    return float(np.median(np.concatenate(rates))) if rates else 25.0


def object_size(track: Track) -> Float:
    """(T,) mean of width and height of the box, else of the box around the points; the median where unknown."""
    xy = np.asarray(track.poses.xy, np.float64)
    seen = known_points(track)
    size = extent(around(np.where(seen[..., None], xy, 0.0), seen)).mean(-1)
    if track.poses.boxes is not None:
        boxes = np.asarray(track.poses.boxes, np.float64)
        good = usable(boxes)
        size = np.where(good, extent(np.where(good[:, None], boxes, 0.0)).mean(-1), size)
    some = size > 0
    return np.asarray(np.where(some, size, np.median(size[some]) if some.any() else 1.0))


def known_points(track: Track) -> NDArray[np.bool_]:
    """(T, K) points that were measured."""
    poses = track.poses
    known = np.isfinite(poses.xy).all(-1) & np.isfinite(poses.score) & (np.nan_to_num(poses.score) > 0)
    return np.asarray(known if poses.filled is None else known & ~poses.filled)


def _differences(tracks: Sequence[Track], step: int) -> tuple[Float, Float]:
    """(M, K, 2) second differences of all tracks in object sizes, NaN where unknown, and (M, K) mean scores."""
    off, scores = [], []
    for track in tracks:
        span = track.frames[-1] - track.frames[0] + 1 if len(track) else 0
        points = track.poses.xy.shape[1]
        xy, score = np.full((span, points, 2), np.nan), np.full((span, points), np.nan)
        if span:
            at, known = track.frames - track.frames[0], known_points(track)
            xy[at] = np.where(known[..., None], track.poses.xy / object_size(track)[:, None, None], np.nan)
            score[at] = np.where(known, track.poses.score, np.nan)
        end = max(span - 2 * step, 0)
        parts = [slice(n * step, n * step + end) for n in range(3)]
        first, middle, last = (xy[part] for part in parts)
        off.append(first - 2 * middle + last)
        scores.append((score[parts[0]] + score[parts[1]] + score[parts[2]]) / 3)
    return np.concatenate(off), np.concatenate(scores)


def _trust(off: Float, score: Float) -> float:
    """Slope of the logarithm of the noise over that of the score, within points, from 0 to 2."""
    length = np.linalg.norm(off, axis=-1)
    good = np.isfinite(length) & (length > 0) & np.isfinite(score) & (score > 0)
    count = np.maximum(good.sum(0), 1)

    def centred(values: Float) -> Float:
        logs = np.log(np.where(good, values, 1.0))
        return np.asarray(np.where(good, logs - logs.sum(0) / count, 0.0))

    x, y = centred(score), centred(length)
    if good.sum() < LEAST_FRAMES or (x**2).sum() < 0.01 * good.sum():
        return DEFAULT_TRUST
    return round(float(np.clip(-(x * y).sum() / (x**2).sum(), 0.0, 2.0)), 3)


def _variance(off: Float, score: Float, trust: float) -> Float:
    """(K,) robust variance of a coordinate's second difference, as with score 1."""
    values = np.abs(off) * np.clip(score, 0.05, 1.0)[..., None] ** trust
    out = np.full(off.shape[1], np.nan)
    some = np.isfinite(values).any((0, 2))
    if some.any():
        out[some] = (np.nanmedian(values[:, some], axis=(0, 2)) / 0.6745) ** 2
    return out


def _fit(variance: Float, step: Float) -> tuple[float, float]:
    """Noise and motion that explain the variances best, in relative terms."""
    good = np.isfinite(variance) & (variance > 0)
    v, h = variance[good], step[good]
    if not len(v):
        return LEAST_NOISE, LEAST_MOTION
    a = np.stack([6 / v, 2 / 3 * h**3 / v], -1)
    r, q = np.linalg.lstsq(a, np.ones(len(v)), rcond=None)[0] if len(v) > 1 else (v[0] / 6, 0.0)
    if r <= 0:
        r, q = v[0] / 6 / 10, float(1 / np.mean(2 / 3 * h**3 / v))
    elif q <= 0:
        r, q = float(1 / np.mean(6 / v)), 0.0
    return max(float(np.sqrt(r)), LEAST_NOISE), max(float(np.sqrt(q)), LEAST_MOTION)
