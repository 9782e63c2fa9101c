"""`posekit smooth FILE --out NEW`: points over time made steady, in the format of the file."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from posekit.cli.kinds import Number, Switch, Text
from posekit.words import plural

if TYPE_CHECKING:
    from posekit.api.smooth import Smoothed


@dataclass(frozen=True)
class Options:
    """Steady the points of a file over time: COCO results, an OpenPose folder, DeepLabCut csv, or files of posekit.

    Written is the same format with everything else in it; the file that is read is never changed.
    """

    source: Annotated[Path, tyro.conf.Positional]
    """results.json (COCO results), a folder of OpenPose's *_keypoints.json, a csv of DeepLabCut or posekit, .npz, or
    .jsonl"""
    out: Path
    "file, or folder for OpenPose, to write"
    filter: Text = None
    """rts, two-pass, savgol (look at the whole recording, no lag), kalman, one-euro, ema, median (do not look ahead),
    none (only ids); tuned on the clip; or a small network: temporal (looks ahead by at most --lag), temporal-offline,
    with :FOLDER one of `posekit train temporal`; default: rts, with --lag kalman"""
    lag: Number = None
    "accepted lag in milliseconds, for filters that do not look ahead"
    fps: Number = None
    "frames a second; default: the times in the file, else 30"
    points: Text = None
    "names of the points if the file has none: a known skeleton, such as coco17, or all names, separated by commas"
    threshold: float = 0.3
    "if the file has no ids: instances with this score begin a track"
    lift: Switch = False
    "with a temporal network: also write the depth of each point about the root, in pixels"


def run(argv: Sequence[str]) -> int:
    """Smooth a file."""
    options = tyro.cli(Options, args=list(argv), prog="posekit smooth")
    from posekit.api.smooth import smooth
    from posekit.postprocess.track import Tracking

    found = smooth(
        options.source,
        options.out,
        filter=options.filter,
        lag=options.lag,
        fps=options.fps,
        points=options.points,
        tracking=Tracking(score_threshold=options.threshold),
        lift=options.lift,
    )
    for note in found.notes:
        print(f"posekit smooth: {note}", file=sys.stderr)
    _print(found)
    return 0


def _print(found: Smoothed) -> None:
    ids = "ids by tracking" if found.tracked else "ids of the file"
    print(f"{found.format}: {plural(len(found.clip), 'frame')}, {plural(found.tracks, 'track')} ({ids})")
    if found.alone:
        print(f"{plural(found.alone, 'instance')} in no track: as in the file")
    if found.smoother is not None:
        kind = getattr(found.smoother, "kind", type(found.smoother).__name__)
        before, after = found.jitter
        steady = "not measurable, no point is there in three frames in a row"
        if math.isfinite(before):
            steady = f"{before:.3g} -> {after:.3g} pixels per frame squared ({-100 * found.cut:+.0f} %)"
        late = f"{round(found.lag)} ms" if math.isfinite(found.lag) else "not measurable, too short or nothing moves"
        print(f"filter {kind}: jitter {steady}; lag {late}")
    if found.filled:
        print(f"{plural(found.filled, 'missing point')} filled in")
    print(f"written: {found.out}; next: posekit angles {found.out}")
