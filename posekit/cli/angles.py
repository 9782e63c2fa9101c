"""`posekit angles FILE`: angles and bone lengths over time, as tables and pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from posekit.cli.kinds import Number, OneFile, Switch, Text, Texts
from posekit.words import plural


@dataclass(frozen=True)
class Options:
    """Angles and bone lengths of points over time, in the image: a table and a picture of each.

    Smooth the points first: posekit smooth.
    """

    source: Annotated[Path, tyro.conf.Positional]
    "points over time: what posekit smooth reads and writes"
    angles: Texts = ()
    """all (elbow, shoulder, hip, knee, ankle), names of these (left_knee), or NAME=A,B,C for the angle at point B;
    default: all, unless there are --lengths"""
    lengths: Texts = ()
    "all (the bones), names of these (left_hip-left_knee), or NAME=A,B, in pixels"
    out: OneFile = None
    "start of the names of the files: OUT.angles.csv, OUT.angles.svg, ...; default: that of the file"
    signed: Switch = False
    "angles from A to C, clockwise on the screen, with their sign and without jumps by 360 degrees"
    threshold: float = 0.3
    "points whose score does not exceed this are missing, and cells that need them empty"
    fps: Number = None
    "frames a second; default: the times in the file, else 30"
    points: Text = None
    "names of the points if the file has none: a known skeleton, such as coco17, or all names, separated by commas"


def run(argv: Sequence[str]) -> int:
    """Measure a file."""
    options = tyro.cli(Options, args=list(argv), prog="posekit angles")
    from posekit.api.angles import angles

    source = options.source
    found = angles(
        source,
        options.out or source.with_name(source.stem or source.name),
        angles=options.angles,
        lengths=options.lengths,
        signed=options.signed,
        threshold=options.threshold,
        fps=options.fps,
        points=options.points,
    )
    for note in found.notes:
        print(f"posekit angles: {note}", file=sys.stderr)
    named = " and ".join(plural(len(one.names), one.kind.removesuffix("s")) for one in found.series)
    print(f"{plural(found.frames, 'frame')}, {plural(found.tracks, 'track')}: {named}")
    if not found.has_spread:
        print("without standard deviations: the file has no spread of its points")
    print(f"written: {', '.join(map(str, found.files))}")
    return 0
