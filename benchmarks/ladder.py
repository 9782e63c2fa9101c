"""The representations side by side on real data: one network, one budget of images seen.

    python -m benchmarks.ladder mtfl5|helen|lspe [--only NAME...] [--epochs N] [--root runs/ladder]

Each method is one `posekit train` in a process of its own, on one thread, resumed where it was stopped. The result file
holds the commands, the curve against images seen, and the mean pose and the untrained network beside them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.record import write

METHODS = ("topdown-dark", "topdown-dsnt", "topdown-regression", "topdown-rle", "topdown-simcc")


@dataclass(frozen=True)
class Setup:
    """One data set and its budget."""

    train: tuple[str, ...]
    val: str
    size: tuple[int, int]
    epochs: int
    extra: tuple[str, ...] = ()


SETUPS = {
    "mtfl5": Setup(
        ("mtfl5_80px/annotations/mtfl5_train.json",),
        "mtfl5_80px/annotations/mtfl5_test.json",
        (64, 64),
        5,
        ("--padding", "1.0", "--train.batch", "8", "--augment.geometry.rotation", "40"),
    ),
    "helen": Setup(
        ("face300w_helen_afw/annotations/helen_train.json", "face300w_helen_afw/annotations/afw.json"),
        "face300w_helen_afw/annotations/helen_test.json",
        (128, 128),
        60,
        ("--data.skeleton", "face68", "--train.eval-every", "5"),
    ),
    "lspe": Setup(("lspe/annotations/lspe_train.json",), "lspe/annotations/lspe_val.json", (128, 128), 6),
}


def root() -> Path:
    """Where the data sets lie."""
    return Path(os.environ.get("POSEKIT_DATA", "~/.cache/posekit")).expanduser()


def command(setup: Setup, recipe: str, run: Path, extra: tuple[str, ...] = ()) -> list[str]:
    """Words of one `posekit train`."""
    height, width = map(str, setup.size)
    return [
        *("train", recipe, "--data.train", *(str(root() / f) for f in setup.train)),
        *("--data.val", str(root() / setup.val), "--size", height, width, "--train.epochs", str(setup.epochs)),
        *("--out", str(run), "--resume", *setup.extra, *extra),
    ]


def train(words: list[str], run: Path) -> dict[str, Any]:
    """Train if the run is not whole yet, and read what it wrote."""
    if not (run / "summary.json").exists():
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    shown = [w.replace(str(root()), "$POSEKIT_DATA") for w in words]
    return {"command": " ".join(["posekit", *shown]), "curve": rows, **summary}


def main() -> None:
    """Run a ladder and write its result file after every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETUPS)
    parser.add_argument("--only", nargs="+", default=METHODS)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--root", type=Path, default=Path("runs/ladder"))
    parser.add_argument("--name", help="of the result file; default ladder_DATA")
    asked, extra = parser.parse_known_args()
    setup = SETUPS[asked.data]
    setup = replace(setup, epochs=asked.epochs) if asked.epochs else setup
    results: dict[str, Any] = {}
    for method in asked.only:
        run = asked.root / f"{asked.data}-{method}-{setup.epochs}"
        results[method] = train(command(setup, f"{method}-tiny", run, tuple(extra)), run)
        file = write(asked.name or f"ladder_{asked.data}", {"methods": results}, data=asked.data, size=setup.size)
        print(f"{method}: {results[method]['figures']}; in {file}", flush=True)


if __name__ == "__main__":
    main()
