"""The command line in two passes: first the options that choose a recipe, then every field of that recipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import tyro
from pydantic import ValidationError

from posekit.cli.flags import flags
from posekit.cli.recipe_help import options_of
from posekit.data.source import Data
from posekit.recipe import Recipe
from posekit.validation import explain

FIELDS = (tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff)

OTHER_NAMES = {
    "imgsz": "--size",
    "img-size": "--size",
    "image-size": "--size",
    "input-size": "--size",
    "data": "--data.train",
    "images": "--data.images",
    "batch-size": "--train.batch",
    "learning-rate": "--train.lr",
    "lr0": "--train.lr",
    "losses": "--loss",
    "weights": "--model.backbone.weights",
    "pretrained": "--model.backbone.weights",
    "name": "--out",
    "project": "--out",
}
"""Names of options in other libraries: our option."""


@dataclass(frozen=True)
class First:
    """First pass: the options that choose the recipe, before its fields are parsed."""

    recipe: Annotated[str, tyro.conf.Positional]
    "name of a recipe, or a recipe.json to repeat"
    data: Data = field(default_factory=Data)
    size: tuple[str, ...] = ()
    "height and width of the network input, pixels; one number: a square"
    stride: int = 0
    "stride of the maps: image pixels for each cell; 0: that of the recipe"
    codec: str | None = None
    "use another representation (codec) in the recipe"
    loss: tuple[str, ...] | None = None
    "losses to use instead of those of the recipe"
    backbone: str | None = None
    "use another backbone in the recipe"
    metric: str | None = None
    "metric that decides which epoch is the best"
    distill: str | None = None
    "distillation: okdhp (online, several heads), or the teacher: a run folder, hub id, or .json of predictions"
    visibility: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "top-down recipes: also learn which points are hidden (visibility 1) and which are seen (2)"
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


def given(rest: Sequence[str]) -> frozenset[str]:
    """Dotted names of the fields that are set by arguments, such as ``train.lr``."""
    flagged = (word.partition("=")[0][2:] for word in rest if word.startswith("--"))
    return frozenset(name.replace("-", "_") for name in flagged)


def _full_help(prog: str) -> str:
    """The command that prints every field of a recipe; only `posekit train` does."""
    return f"{prog.replace('posekit ablate', 'posekit train')} --help-all"


def named(backbone: str | None, losses: Sequence[str] | None) -> frozenset[str]:
    """What of a recipe's network and losses was asked for by name."""
    return frozenset([*(["backbone"] if backbone else []), *(["losses"] if losses else [])])


def second_pass(
    recipe: Recipe, rest: Sequence[str], prog: str, description: str, others: Collection[str] | None = None
) -> Recipe:
    """Set the fields of a recipe from the arguments.

    Args:
        recipe: gives the fields and their defaults.
        rest: arguments.
        prog: command, for the messages.
        description: for the help.
        others: flags of the first pass, to be suggested for unknown ones; ``None``: those of `First`.

    Raises:
        SystemExit: with status 2 after a message: an unknown flag, with the nearest known one, or an invalid value.
    """
    heard = io.StringIO()
    try:
        with redirect_stderr(heard):
            made, unknown = tyro.cli(
                Recipe,
                default=recipe,
                args=list(rest),
                config=(tyro.conf.AvoidSubcommands,),
                prog=prog,
                description=description,
                return_unknown_args=True,
            )
    except SystemExit as end:
        faults = list(_invalid(end))
        sys.stderr.write(f"{prog}: {'; '.join(faults)}\n" if faults else heard.getvalue())
        raise
    sys.stderr.write(heard.getvalue())
    if unknown:
        known = [*(flags(First) if others is None else others), *(option.flag for option in options_of(recipe))]
        print(f"{prog}: {_unknown(unknown, known)} (all options: {_full_help(prog)})", file=sys.stderr)
        raise SystemExit(2)
    return made


def _unknown(words: Sequence[str], known: Sequence[str]) -> str:
    """A message for arguments that are no options, with the nearest known option."""
    flagged = [word.partition("=")[0] for word in words if word.startswith("--")]
    if not flagged:
        return f"unexpected {' '.join(words)}"
    return "; ".join(f"no option {flag}{_near(flag, known)}" for flag in flagged)


def _near(flag: str, known: Sequence[str]) -> str:
    name = flag.removeprefix("--").replace("_", "-")
    same = [option for option in known if option.rpartition(".")[2].removeprefix("--") == name]
    near = [OTHER_NAMES[name]] if name in OTHER_NAMES else same or get_close_matches(f"--{name}", known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _invalid(error: BaseException) -> Iterator[str]:
    """The invalid values that ended tyro, each with its option; nothing if the end has another cause."""
    prefix = ""
    cause: BaseException | None = error
    while cause is not None:
        where = getattr(cause, "arg", None)
        prefix = where if isinstance(where, str) else prefix
        if isinstance(cause, ValidationError):
            yield from (_fault(fault, prefix, cause) for fault in cause.errors())
            return
        cause = cause.__context__


_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def _fault(fault: Any, prefix: str, error: ValidationError) -> str:
    where = ".".join(part for part in (prefix, *map(str, fault["loc"])) if part).replace("_", "-")
    if fault["type"] in _LIMITS:
        words, key = _LIMITS[fault["type"]]
        return f"--{where} must be {words} {fault['ctx'][key]:g}; got {fault['input']}"
    what = fault["msg"].removeprefix("Value error, ")
    return f"--{where}: {what}" if fault["loc"] else explain(error)
