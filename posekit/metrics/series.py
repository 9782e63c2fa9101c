"""Angles and lengths of tracks as series over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.tracks import Track
from posekit.metrics.angles import angle_spread, angles, length_spread, lengths, located, unwrapped

Kind = Literal["angles", "lengths"]
UNITS: dict[Kind, str] = {"angles": "degrees", "lengths": "pixels"}


@dataclass(frozen=True, eq=False)
class TrackSeries:
    """Series of one instance.

    Args:
        id: of the track.
        frames: (T,) index of each frame.
        times: (T,) seconds.
        values: (T, A), NaN where a point is missing.
        spread: (T, A) standard deviations, or ``None`` where the points have none.
    """

    id: int
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    spread: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Series:
    """Angles or lengths over time.

    Args:
        kind: which of the two; angles are in degrees, lengths in pixels.
        names: (A,).
        tracks: one for each instance.
    """

    kind: Kind
    names: tuple[str, ...]
    tracks: tuple[TrackSeries, ...]


def series(
    kind: Kind,
    named: Mapping[str, tuple[int, ...]],
    tracks: Sequence[Track],
    threshold: float = 0.0,
    signed: bool = False,
) -> Series:
    """The series of some tracks.

    Args:
        kind: angles or lengths.
        named: indices of the points of each, as `posekit.metrics.named_angles` gives them.
        tracks: of a clip.
        threshold: points whose score does not exceed it are missing.
        signed: angles with their sign (see `posekit.metrics.angles.angles`), without jumps by 360 degrees.
    """
    order = list(named.values())
    found = []
    for track in tracks:
        poses = track.poses
        xy = located(poses.xy, poses.score, threshold)
        if kind == "angles":
            values = unwrapped(angles(xy, order, signed=True)) if signed else angles(xy, order)
        else:
            values = lengths(xy, order)
        spread = None
        if poses.spread is not None:
            spread = (angle_spread if kind == "angles" else length_spread)(xy, poses.spread, order)
        found.append(TrackSeries(track.id, track.frames, track.times, values, spread))
    return Series(kind, tuple(named), tuple(found))
