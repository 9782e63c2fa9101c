"""`posekit train temporal --out DIR`: a small network that steadies tracks, and lifts them to 3-D."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import Progress

from posekit.api.temporal import tracks_to_learn, train_temporal_folder
from posekit.cli.kinds import Files, Number
from posekit.models.temporal import Temporal
from posekit.training.temporal import TemporalTraining
from posekit.words import plural


@dataclass(frozen=True)
class TrackData:
    """Where the tracks are."""

    train: Files = ()
    """files of true points over time with ids: .npz, .jsonl, csv, COCO; depths in them are about the root; none: only
    synthetic people"""
    measured: Files = ()
    """for each of them what a model found, with the same ids and times; none: the errors of a shipped model are added
    to the true points"""
    skeleton: str = "coco17"
    "a known skeleton: the points of all tracks"
    synthetic: int = 1000
    "number of synthetic people who move, beside the files; of half of them the depth is known"
    fps: Number = None
    "frames a second of files without times; default: 30"


@dataclass(frozen=True)
class Options:
    """Train a temporal network: a filter over time that has learned how models err and how people move.

    With the defaults about five minutes on one CPU core.
    """

    out: Path
    "folder of the network, for `posekit smooth --filter temporal:FOLDER`, `posekit predict --smooth temporal:FOLDER`"
    data: TrackData = field(default_factory=TrackData)
    training: Annotated[TemporalTraining, tyro.conf.arg(name="")] = field(default_factory=TemporalTraining)
    model: Temporal = field(default_factory=Temporal)


def run(argv: Sequence[str]) -> int:
    """Train a temporal network; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit train temporal")
    data = options.data
    tracks = tracks_to_learn(
        data.train,
        data.measured,
        skeleton=data.skeleton,
        synthetic=data.synthetic,
        fps=data.fps,
        seed=options.training.seed,
    )
    print(f"{plural(len(tracks.tracks), 'track')}, {tracks.with_depth} of them with depths")
    losses: dict[str, float] = {}
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("training", total=options.training.steps)

        def seen(step: int, found: dict[str, float]) -> None:
            losses.update(found)
            bar.update(task, completed=step)

        off = train_temporal_folder(tracks, options.out, options.model, options.training, seen)
    told = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    print(f"last losses, object sizes: {told}; the exported file differs from the network by {off:.1g}")
    print(f"written: {options.out}; next: posekit smooth FILE --out NEW --filter temporal:{options.out}")
    return 0
