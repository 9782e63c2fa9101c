"""The study of smoothing on a clip of one's own: jitter against lag, EMA against Kalman, and a recommended setting.

Jitter is SmoothNet's acceleration error, against a smoother that looks ahead, since the true motion is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.clip_files import read_clip
from posekit.data.errors import DataError
from posekit.geometry.tracks import Track, tracks_of
from posekit.postprocess.clip_tracks import with_ids
from posekit.postprocess.smooth.trial import Clip
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.smoothing import AIM, LAGS, OFFLINE, chart, filters, row_of, settings
from posekit.studies.study import Results
from posekit.visualize.report import Table
from posekit.words import plural

SHORTEST = 20
"""Frames that a track needs at least."""


def on_clip(tracks: Sequence[Track], lags: Sequence[int] = LAGS) -> dict[str, Any]:
    """All filters on a clip, against a smoother that looks ahead, and the recommended one.

    Returns:
        ``fps``, ``tracks``, ``frames``, ``rows`` as in `synthetic` but with single numbers and without ``of_raw``, and
        ``recommended``, the row of the tuned Kalman filter with the least lag that reaches the aim, else of the one
        that cuts most.
    """
    clip = Clip([track for track in tracks if len(track)])
    raw, fps = clip.trial(None), clip.noise.fps
    rows: list[dict[str, Any]] = []
    for method, lag, smoother in filters(clip, lags):
        if method in OFFLINE:
            continue  # their lag and error against a smoother of the same kind would say nothing
        found = clip.trial(smoother)
        rows.append(
            {
                "method": method,
                "lag": lag,
                "late": found.lag * fps / 1000,
                "jitter": found.jitter * fps**2,
                "cut": 1 - found.jitter / raw.jitter if raw.jitter > 0 else 0.0,
                "error": found.error,
                "settings": settings(smoother),
            }
        )
    ours = [row for row in rows if row["method"] == "kalman"]
    reached = [row for row in ours if row["cut"] >= AIM]
    chosen = min(reached, key=lambda row: row["lag"]) if reached else max(ours, key=lambda row: row["cut"])
    return {
        "fps": fps,
        "tracks": len(tracks),
        "frames": sum(len(track) for track in tracks),
        "noise": float(np.median(clip.noise.noise)),
        "motion": float(np.median(clip.noise.motion)),
        "rows": rows,
        "recommended": chosen,
    }


@dataclass(eq=False)
class OwnClip:
    """A `Study` of the tracks of one clip.

    Args:
        source: the file, for the recommended command.
        tracks: of the clip, each of at least `SHORTEST` frames.
    """

    source: str
    tracks: tuple[Track, ...]
    CLAIM: str = "What steadiness costs in lag on this clip, and which filter to take."

    @classmethod
    def read(cls, file: Path, fps: float | None = None) -> OwnClip:
        """Read a file of points over time; instances without ids are tracked.

        Args:
            file: see `posekit.data.clip_files.FORMATS`.
            fps: frames a second; ``None``: the times of the file, else 30.

        Raises:
            DataError: the file is invalid, or has no track of `SHORTEST` frames.
        """
        clip = read_clip(file)
        times = clip.clock(fps)
        clip, _ = with_ids(clip, times, None)
        tracks = [track for track in tracks_of(clip.frames, times) if track.id >= 0]
        long = tuple(track for track in tracks if len(track) >= SHORTEST)
        if not long:
            most = max(map(len, tracks), default=0)
            raise DataError(
                f"{file}: a track of at least {SHORTEST} frames is needed to tell jitter from motion; the longest of "
                f"{len(tracks)} has {most}"
            )
        return cls(str(file), long)

    def run(self, quick: bool, seed: int) -> Results:
        """Measure all filters at equal lag; the quick form accepts at most one frame. Nothing is random."""
        return on_clip(self.tracks, LAGS[:2] if quick else LAGS)

    def plot(self, results: Results, file: Path) -> None:
        """Jitter against lag."""
        file.write_text(chart(results) + "\n", encoding="utf-8")

    def table(self, results: Results) -> Table:
        """Every filter: accepted and measured lag, and the jitter that is cut."""
        rows = [
            [row["method"], "" if row["lag"] is None else str(row["lag"]), f"{row['late']:.2f}", f"{row['cut']:.2f}"]
            for row in results["rows"]
        ]
        title = f"{results['tracks']} tracks, {results['frames']:,} poses, {results['fps']:.4g} frames a second"
        return Table(title, ("filter", "accepted lag, frames", "measured lag", "jitter cut"), rows)

    def verdict(self, results: Results) -> str:
        """What holds, and the command of the recommended setting."""
        return f"{paragraphs(findings(results))}\n\n**Recommended.** {self.recommended(results)}"

    def recommended(self, results: Results) -> str:
        """The setting in words and as a command."""
        row, ms = results["recommended"], _ms(results)
        cut = f"{row['cut']:.0%} of the jitter at {row['late']:.2f} frames of lag"
        least = "the least lag that cuts" if row["cut"] >= AIM else "nothing here cuts"
        return (
            f"The Kalman filter with an accepted lag of {ms:g} ms: {cut}; {least} {AIM:.0%}. `posekit smooth "
            f"{self.source} --out NEW --filter kalman --lag {ms:g}`, or `posekit predict VIDEO --smooth kalman --lag "
            f"{ms:g}`. A finished clip can look ahead instead, without lag: `--filter rts`."
        )


def _ms(results: Mapping[str, Any]) -> int:
    """The recommended lag in whole milliseconds, rounded up, so that the frames still fit."""
    lag: int = results["recommended"]["lag"]
    return math.ceil(lag * 1000 / float(results["fps"]))


def _pairs(results: Mapping[str, Any], first: str, second: str) -> list[tuple[int, float, float]]:
    """Accepted lag and jitter cut of two filters at each lag at which both were measured."""
    lags: Sequence[int] = sorted({row["lag"] for row in results["rows"] if row["method"] == first})
    found = ((lag, row_of(results, first, lag), row_of(results, second, lag)) for lag in lags)
    return [(lag, a["cut"], b["cut"]) for lag, a, b in found if a is not None and b is not None]


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    row, pairs = results["recommended"], _pairs(results, "kalman", "ema")
    shown = "; ".join(f"{plural(lag, 'frame')}: {ours:.0%} and {ema:.0%}" for lag, ours, ema in pairs)
    return [
        Finding(
            row["cut"] >= AIM,
            f"A filter that does not look ahead can cut {AIM:.0%} of the jitter of this clip",
            f"{row['cut']:.0%} at an accepted lag of {plural(row['lag'], 'frame')}",
        ),
        Finding(
            all(ours > ema for _, ours, ema in pairs),
            "A Kalman filter tuned on the clip cuts more jitter than a moving average at every lag",
            shown,
        ),
    ]
