"""Trying filters on a clip: the lag and the steadiness they have there, without knowing the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.metrics.motion import lag_ms, position_error, steadiness
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.smooth.clip import smooth_clip
from posekit.postprocess.smooth.clip_noise import ClipNoise, clip_noise, known_points, object_size
from posekit.postprocess.smooth.kalman import Kalman

Float = NDArray[np.floating]

PIECE, SHORTEST, MOST = 5.0, 1.0, 10
"""Clips are cut into pieces of this many seconds; shorter ones are left out; and so many pieces are used at most."""
HINDSIGHT = 0.4
"""How far the reference looks ahead, seconds."""
TAILS = 2.0
"""Degrees of freedom of the reference and of tuned Kalman filters: errors of pose models have heavy tails."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a filter does on a clip, against the reference.

    Args:
        lag: ms; NaN where nothing moves.
        jitter: mean length of the difference of accelerations, object sizes per frame squared.
        error: mean distance, object sizes.
    """

    lag: float
    jitter: float
    error: float


class Clip:
    """A clip cut into pieces that are filtered side by side, and a smooth reference without lag.

    The reference is a Kalman filter with the clip's own noise and motion that looks `HINDSIGHT` ahead, run forward and
    backward in time; the mean of the two has no lag.

    Args:
        tracks: of a clip, one skeleton.

    Raises:
        ValueError: there is no track.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.noise: ClipNoise = clip_noise(tracks)
        self.pieces = _pieces(tracks, self.noise.fps)
        self.length = max((int(piece.frames[-1]) + 1 for piece in self.pieces), default=0)
        self._tried: dict[Smoother | None, Trial] = {}
        backward = self._with_hindsight([_mirrored(piece, self.length) for piece in self.pieces])
        self._reference = (self._with_hindsight(self.pieces) + backward[::-1]) / 2

    @property
    def usable(self) -> bool:
        """Whether the clip is long enough for a trial."""
        return self.length >= 3 * max(round(self._longest * self.noise.fps), 1) + 1 and len(self.pieces) > 0

    @property
    def _longest(self) -> float:
        return min(0.5, (self.length - 1) / self.noise.fps / 4)

    def kalman(self, motion: float = 1.0, delay: float = 0.0, **more: Any) -> Kalman:
        """The Kalman filter of the clip's noise.

        Args:
            motion: factor on the clip's motion.
            delay: ms.
            more: other settings.
        """
        found = self.noise
        scaled = tuple(round(value * motion, 6) for value in found.motion)
        given: dict[str, Any] = {"tails": TAILS, "outlier": None, **more}
        return Kalman(noise=found.noise, motion=scaled, trust=found.trust, delay=round(delay, 3), **given)

    def _with_hindsight(self, pieces: Sequence[Track]) -> Float:
        """(T, P, K, 2) smoothed pieces without the delay; NaN where there is no later frame to look at."""
        ahead = round(HINDSIGHT * self.noise.fps)
        smooth = self._laid_out(pieces, smooth_clip(self.kalman(delay=ahead * 1000 / self.noise.fps), pieces))
        out = np.full_like(smooth, np.nan)
        out[: max(self.length - ahead, 0)] = smooth[ahead:]
        return out

    def trial(self, smoother: Smoother | None) -> Trial:
        """Run a filter, or none, on the pieces; a filter that was tried before is not run again."""
        if smoother not in self._tried:
            self._tried[smoother] = self._run(smoother)
        return self._tried[smoother]

    def _run(self, smoother: Smoother | None) -> Trial:
        found = self._laid_out(self.pieces, self.pieces if smoother is None else smooth_clip(smoother, self.pieces))
        times = np.arange(self.length) / self.noise.fps
        late = lag_ms(found, self._reference, times, self._longest) if self.usable else float("nan")
        steady = steadiness(found, self._reference).error
        return Trial(late, steady, position_error(found, self._reference))

    def _laid_out(self, pieces: Sequence[Track], tracks: Sequence[Track]) -> Float:
        """(T, P, K, 2) locations of filtered pieces in object sizes, NaN where the unfiltered ones are unknown."""
        points = tracks[0].poses.xy.shape[1] if tracks else 0
        out = np.full((self.length, len(tracks), points, 2), np.nan)
        for number, (piece, track) in enumerate(zip(pieces, tracks, strict=True)):
            size = np.median(object_size(piece))
            known = known_points(piece)
            out[track.frames, number] = np.where(known[..., None], track.poses.xy / size, np.nan)
        return out


def _pieces(tracks: Sequence[Track], fps: float) -> list[Track]:
    """Parts of the tracks on a common grid of times, each with an id of its own."""
    length = max(round(PIECE * fps), 2)
    found: list[tuple[Track, slice]] = []
    for track in tracks:
        if not len(track):
            continue
        number = (track.frames - track.frames[0]) // length
        _, starts = np.unique(number, return_index=True)
        for start, end in zip(starts, [*starts[1:], len(track)], strict=True):
            found.append((track, slice(int(start), int(end))))
    long = [part for part in found if part[1].stop - part[1].start >= SHORTEST * fps] or found
    chosen = [long[i] for i in np.unique(np.linspace(0, len(long) - 1, min(MOST, len(long))).round().astype(int))]
    return [_piece(track, part, number, fps) for number, (track, part) in enumerate(chosen)]


def _mirrored(piece: Track, length: int) -> Track:
    """The piece with time running backward."""
    return Track(piece.id, length - 1 - piece.frames[::-1], piece.times[-1] - piece.times[::-1], piece.poses[::-1])


def _piece(track: Track, part: slice, number: int, fps: float) -> Track:
    frames = track.frames[part] - track.frames[part.start]
    poses: Poses = track.poses[part]
    return replace(Track(number, frames, frames / fps, poses), poses=replace(poses, ids=None))
