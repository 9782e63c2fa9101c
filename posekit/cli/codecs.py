"""`posekit codecs`: compare all representations for your points and crops: cost and error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from posekit.geometry.skeleton import Skeleton

if TYPE_CHECKING:
    from posekit.studies.codecs import Row

WIDE = 190
"""Width of the table if it is not printed to a terminal, characters."""

LEFT = (0, 1, 7)
"""Columns of text; the others have numbers."""

ROOM, FEW = 110, (0, 1, 2, 4, 5, 6, 9)
"""Width that all columns need, and the columns that are shown in narrower terminals."""

NOTE = (
    "error: distance between a point and the one decoded from its perfect maps, image pixels, for points in the middle "
    "half of the crop; MACs: multiply-accumulates for one crop; target: size of the training targets of one crop"
)


@dataclass(frozen=True)
class Options:
    """Compare the representations that --codec offers; no training, no data."""

    skeleton: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ""
    "a known skeleton; default: coco17"
    points: Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="")] = 0
    "number of points, instead of a skeleton"
    size: Annotated[tuple[str, ...], tyro.conf.arg(metavar="N | H W", help_behavior_hint="")] = ()
    "size of the crops, pixels: a square, or height and width; default: as in the recipes"
    stride: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    "stride of the maps: image pixels for each cell; default: as in the recipes"
    tiny: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "use the networks of the -tiny recipes"
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "print JSON instead of a table"


def run(argv: Sequence[str]) -> int:
    """Print the table; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit codecs")
    from posekit.api.train import size_of
    from posekit.recipes.topdown import PLAIN, TINY
    from posekit.studies.codecs import table

    skeleton, form = chosen_skeleton(options.skeleton, options.points), TINY if options.tiny else PLAIN
    size = size_of(options.size) if options.size else None
    rows = table(skeleton, form, size, options.stride)
    height, width = size or form.size
    if options.json:
        head = {"skeleton": skeleton.name, "points": len(skeleton.points), "size": [height, width]}
        form_name = "tiny" if options.tiny else "plain"
        print(json.dumps({**head, "form": form_name, "codecs": [as_json(row) for row in rows]}, indent=2))
        return 0
    print_table(rows, f"{skeleton.name}, {len(skeleton.points)} points, crops of {height}x{width}")
    return 0


def chosen_skeleton(name: str, points: int) -> Skeleton:
    """The named skeleton, or an unnamed one with this number of points.

    Raises:
        ValueError: both are given, the name is unknown, or the number of points is negative.
    """
    from posekit.skeletons import SKELETONS
    from posekit.words import nearest

    if name and points:
        raise ValueError(f"--skeleton {name} and --points {points} exclude each other; give one of them")
    if points < 0:
        raise ValueError(f"--points must be at least 1; got {points}")
    if points:
        return Skeleton("unnamed", tuple(f"point_{i}" for i in range(points)), symmetry="none")
    if name and name not in SKELETONS:
        raise ValueError(nearest(name, list(SKELETONS), "skeleton"))
    return SKELETONS[name or "coco17"]


def as_json(row: Row) -> dict[str, Any]:
    """A row with its shapes by name."""
    return {**asdict(row), "shapes": {name: list(shape) for name, shape in row.shapes}}


def print_table(rows: Sequence[Row], title: str) -> None:
    """Print a table as wide as the terminal, then faults and papers."""
    from posekit.studies.codecs import cells, titles

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    columns = range(len(titles())) if console.width >= ROOM else FEW
    shown = Table(title=escape(title), box=box.SIMPLE_HEAD, pad_edge=False)
    for number in columns:
        shown.add_column(titles()[number], justify="left" if number in LEFT else "right", no_wrap=number == 0)
    for row in rows:
        shown.add_row(*(escape(cells(row)[number]) for number in columns))
    console.print(shown)
    for what in (*told(rows, "fault"), *told(rows, "source"), NOTE):
        console.print(what, markup=False, soft_wrap=True)


def told(rows: Sequence[Row], field: Literal["fault", "source"]) -> list[str]:
    """One line for each different text of a field, after the names that share it."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(getattr(row, field), []).append(row.name)
    verb = " cannot be made" if field == "fault" else ""
    return [f"{', '.join(who)}{verb}: {text}" for text, who in names.items() if text]
