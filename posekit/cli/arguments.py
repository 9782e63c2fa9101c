"""The command line in two passes: first what makes a recipe, then every field of the recipe it made."""

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
    """What must be known before there is a recipe whose fields could be asked for."""

    recipe: Annotated[str, tyro.conf.Positional]
    "name of a recipe, or a recipe.json to repeat"
    data: Data = field(default_factory=Data)
    size: tuple[int, int] | None = None
    "height and width of the crops"
    stride: int | None = None
    "pixels a cell of the maps"
    codec: str | None = None
    "another representation in the same recipe"
    loss: tuple[str, ...] | None = None
    "losses instead of the recipe's own"
    backbone: str | None = None
    "another backbone in the same recipe"
    distill: str | None = None
    "learn beside the labels: okdhp, or from a trained model or a .json of predictions"
    out: Path | None = None
    "folder of the run; default runs/RECIPE-N"
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "go on from the newest checkpoint in --out"
    overfit: int = 0
    "learn so many samples until it overfits and say whether the set-up can learn"
    device: str = "auto"
    "auto, cpu, cuda, mps"


def first_pass(argv: Sequence[str]) -> tuple[First, list[str]]:
    """Parse what makes the recipe; the rest is returned as it is."""
    asked, rest = tyro.cli(First, args=list(argv), return_unknown_args=True, add_help=False, prog="posekit train")
    return asked, rest


def second_pass(recipe: Recipe, rest: Sequence[str], prog: str, description: str) -> Recipe:
    """Change fields of a recipe as the user asks; unknown flags end the program with the nearest one."""
    return tyro.cli(
        Recipe,
        default=recipe,
        args=list(rest),
        config=(tyro.conf.AvoidSubcommands,),
        prog=prog,
        description=description,
    )
