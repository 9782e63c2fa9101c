"""The command line in two passes: first the options that choose a recipe, then every field of that recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from posekit.data.source import Data
from posekit.recipe import Recipe

FIELDS = (tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff)


@dataclass(frozen=True)
class First:
    """First pass: the options that choose the recipe, before its fields are parsed."""

    recipe: Annotated[str, tyro.conf.Positional]
    "name of a recipe, or a recipe.json to repeat"
    data: Data = field(default_factory=Data)
    size: tuple[int, int] | None = None
    "height and width of the crops, pixels"
    stride: int | None = None
    "stride of the maps: image pixels for each cell"
    codec: str | None = None
    "use another representation (codec) in the recipe"
    loss: tuple[str, ...] | None = None
    "losses to use instead of those of the recipe"
    backbone: str | None = None
    "use another backbone in the recipe"
    distill: str | None = None
    "distillation: okdhp (online, several heads), or the teacher: a run folder, hub id, or .json of predictions"
    out: Path | None = None
    "folder of the run; default runs/RECIPE-N"
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "continue from the newest checkpoint in --out"
    overfit: int = 0
    "overfit this many samples, to check that the set-up can learn"
    device: str = "auto"
    "auto, cpu, cuda, mps"


def first_pass(argv: Sequence[str]) -> tuple[First, list[str]]:
    """Parse the options that choose the recipe; the other arguments are returned unparsed."""
    asked, rest = tyro.cli(First, args=list(argv), return_unknown_args=True, add_help=False, prog="posekit train")
    return asked, rest


def second_pass(recipe: Recipe, rest: Sequence[str], prog: str, description: str) -> Recipe:
    """Set the fields of a recipe from the arguments; an unknown flag ends the program with the nearest known one."""
    return tyro.cli(
        Recipe,
        default=recipe,
        args=list(rest),
        config=(tyro.conf.AvoidSubcommands,),
        prog=prog,
        description=description,
    )
