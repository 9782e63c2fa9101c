"""`posekit data check` and `posekit data pack`: look at labelled data, or put it into one file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

USAGE = """usage: posekit data check FILE... | posekit data pack FILE --size N

  check   read everything, tell every fault with file, annotation and fix; draw samples beside their flipped selves
  pack    crops at training size and their labels in one archive: small enough to carry, fast to train from
"""


@dataclass(frozen=True)
class Check:
    """Read labelled data, tell every fault, and draw samples beside their flipped selves."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    skeleton: str | None = None
    "a known skeleton with as many points"
    out: Path = Path("data_check.png")
    "picture sheet"
    samples: int = 12
    "instances on the sheet, evenly spread"


@dataclass(frozen=True)
class Pack:
    """Write crops at training size and their labels into one archive."""

    file: Annotated[Path, tyro.conf.Positional]
    "label file: COCO JSON or YOLO data.yaml"
    size: int
    "longer side of the crops in pixels; a little more than the training size leaves room to turn and shift"
    out: Path | None = None
    "archive; default beside the label file"
    padding: float = 1.6
    "context around the box"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    split: str = "train"
    "part of a YOLO data set"


def run(argv: Sequence[str]) -> int:
    """Check or pack; returns the exit status."""
    if argv and argv[0] == "check":
        return _check(tyro.cli(Check, args=list(argv[1:]), prog="posekit data check"))
    if argv and argv[0] == "pack":
        return _pack(tyro.cli(Pack, args=list(argv[1:]), prog="posekit data pack"))
    asked_for_help = bool(argv) and argv[0] in ("-h", "--help")
    print(USAGE, file=sys.stdout if asked_for_help else sys.stderr)
    return 0 if asked_for_help else 2
