"""`posekit study`: the claims about representations as experiments; each prints what holds and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.markdown import Markdown

from posekit.cli.kinds import Number, OneFile

if TYPE_CHECKING:
    from posekit.studies.study import Study

USAGE = """usage: posekit study [NAME] [options]

Run a study of what representations can and cannot do: write its numbers (NAME.json), a picture (NAME.svg) and a page
(NAME.md), and print what holds and what does not. Without a name, the studies are listed. `all` runs every one.

  --quick      the small form: seconds to about two minutes
  --out DIR    folder for the files (default runs/studies)
  --seed N     seed of everything drawn at random (default 0)
  --clip FILE  of `smoothing`: measure a clip of yours instead, points over time as `posekit predict` or another program
               wrote them (.jsonl, .npz, csv, COCO, OpenPose), and recommend a filter and its lag
  --fps N      frames a second of the clip, where its file has no times
"""


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    name: Annotated[str, tyro.conf.Positional] = ""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    out: Path = Path("runs/studies")
    seed: int = 0
    clip: OneFile = None
    fps: Number = None


def run(argv: Sequence[str]) -> int:
    """List the studies, or run one or all; returns the exit status."""
    if "-h" in argv or "--help" in argv:
        print(USAGE)
        return 0
    asked = tyro.cli(Options, args=list(argv), add_help=False, prog="posekit study")
    from posekit.studies.catalogue import STUDIES
    from posekit.studies.study import carry_out
    from posekit.words import nearest

    if not asked.name:
        print("\n".join(listing()))
        return 0
    if asked.name not in (*STUDIES, "all"):
        raise ValueError(nearest(asked.name, [*STUDIES, "all"], "study"))
    if asked.clip is not None:
        if asked.name != "smoothing":
            raise ValueError(f"--clip is an option of the study smoothing; got {asked.name}")
        from posekit.studies.own_clip import OwnClip

        studies: dict[str, Study] = {"smoothing": OwnClip.read(asked.clip, asked.fps)}
        more = ["--clip", str(asked.clip), *(() if asked.fps is None else ("--fps", f"{asked.fps:g}"))]
    elif asked.fps is not None:
        raise ValueError("--fps belongs to --clip: it is the frame rate of that file")
    else:
        studies, more = {name: STUDIES[name] for name in (STUDIES if asked.name == "all" else [asked.name])}, []
    for name, study in studies.items():
        told, files = carry_out(name, study, asked.out, quick=asked.quick, seed=asked.seed, more=more)
        Console().print(Markdown(f"## {name}\n\n{study.CLAIM}\n\n{told['verdict']}"))
        print(f"\n{told['seconds']:.0f} s; in {', '.join(map(str, files))}\n")
    return 0


def listing() -> list[str]:
    """A line for each study: its name and its claim."""
    from posekit.studies.catalogue import STUDIES

    wide = max(map(len, STUDIES)) + 2
    return [
        *(f"{name:<{wide}}{study.CLAIM}" for name, study in STUDIES.items()),
        "",
        "posekit study NAME --quick runs one.",
    ]
