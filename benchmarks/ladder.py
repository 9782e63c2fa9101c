"""The representations compared on real data: the same network, the same number of training images seen.

    python -m benchmarks.ladder mtfl5|helen|lspe|coco_person [--only NAME...] [--every] [--seeds 0 1 2] [--epochs N]
        [--name NAME] [--flip-test] [--decode FIELD=VALUE...]

Each run is one `posekit train` in a process of its own, on one thread; an interrupted run is resumed. The result file
holds the commands, the learning curves, and the figures of the mean pose and of the untrained network. It is written
after every run, and a run whose command it already contains is not repeated. `--flip-test` evaluates the trained
models once more, averaged with the mirrored images, and with `--decode` a third time with another decoder; both need
the run folders. All other options are passed to `posekit train`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, circumstances, write
from posekit.data.coco import write_coco
from posekit.data.readers import read
from posekit.recipes.representations import REPRESENTATIONS

EVERY = tuple(f"topdown-{name}".replace("_", "-") for name in REPRESENTATIONS if not name.endswith("3d"))
METHODS = ("topdown-dark", "topdown-dsnt", "topdown-regression", "topdown-rle", "topdown-simcc")


@dataclass(frozen=True)
class Setup:
    """One data set and its budget."""

    train: tuple[str, ...]
    val: str
    size: tuple[int, int]
    epochs: int
    extra: tuple[str, ...] = ()
    least_y: float = 0.0
    "instances whose points lie higher in their box than this share of it, on average, are left out of training"


SETUPS = {
    "mtfl5": Setup(
        ("mtfl5_80px/annotations/mtfl5_train.json",),
        "mtfl5_80px/annotations/mtfl5_test.json",
        (64, 64),
        5,
        # The eyes of the faces to learn from are 0.19 of a picture apart, of those to test on 0.30; and the labels of
        # 1,146 of the 5,000 are slipped: all points lie a third of the picture too high, above the face.
        (
            *("--framing.padding", "1.0", "--train.batch", "8", "--augment.geometry.rotation", "20"),
            *("--augment.geometry.mean-scale", "1.5", "--augment.geometry.scale", "0.2"),
        ),
        least_y=0.35,
    ),
    "helen": Setup(
        ("face300w_helen_afw/annotations/helen_train.json", "face300w_helen_afw/annotations/afw.json"),
        "face300w_helen_afw/annotations/helen_test.json",
        (128, 128),
        60,
        ("--data.skeleton", "face68", "--train.eval-every", "5"),
    ),
    "lspe": Setup(("lspe/annotations/lspe_train.json",), "lspe/annotations/lspe_val.json", (128, 128), 6),
    "coco_person": Setup(
        ("coco_person/annotations/person_keypoints_train.json",),
        "coco_person/annotations/person_keypoints_val.json",
        (128, 128),
        7,
    ),
}


def root() -> Path:
    """Folder of the data sets."""
    return Path(os.environ.get("POSEKIT_DATA", "~/.cache/posekit")).expanduser()


def training_files(setup: Setup, folder: Path) -> list[Path]:
    """Label files to train on; if instances are left out, a copy without them in ``folder``."""
    files = [root() / name for name in setup.train]
    if not setup.least_y:
        return files
    kept = []
    for file in files:
        whole = read(file)
        rows = whole.rows
        labelled = whole.visibility[rows] > 0
        top, bottom = whole.boxes[rows, 1], whole.boxes[rows, 3]
        height = (whole.xy[rows][..., 1] * labelled).sum(1) / labelled.sum(1)
        good = np.flatnonzero((height - top) / (bottom - top) >= setup.least_y)
        kept.append(write_coco(whole.subset(good), folder / f"{file.stem}_kept.json"))
        print(f"{len(good)} of {len(rows)} instances of {file.name} are kept, in {kept[-1]}", flush=True)
    return kept


def command(
    setup: Setup, files: list[Path], recipe: str, run: Path, seed: int = 0, extra: tuple[str, ...] = ()
) -> list[str]:
    """Arguments of one `posekit train`."""
    height, width = map(str, setup.size)
    return [
        *("train", recipe, "--data.train", *map(str, files)),
        *("--data.val", str(root() / setup.val), "--size", height, width, "--train.epochs", str(setup.epochs)),
        *("--out", str(run), "--resume", *setup.extra, *(("--seed", str(seed)) if seed else ()), *extra),
    ]


def shown(words: list[str], run: Path) -> str:
    """The command for the result file, without the paths of this machine."""
    return (
        " ".join(["posekit", *words]).replace(str(root()), "$POSEKIT_DATA").replace(str(run), f"runs/ladder/{run.name}")
    )


def train(words: list[str], run: Path) -> dict[str, Any]:
    """Train if the run is not finished, and read its results."""
    if not (run / "summary.json").exists():
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    made = {key: circumstances()[key] for key in ("commit", "date")}
    return {"command": shown(words, run), **made, "curve": rows, **summary}


def flipped(setup: Setup, run: Path, decode: Sequence[str] = ()) -> dict[str, float]:
    """Figures of a finished run with flip test; ``decode`` as in `posekit eval`."""
    words = ["--data", str(root() / setup.val), "--flip-test", "True"]
    return evaluated(run, words + (["--decode", *decode] if decode else []))


def evaluated(run: Path, words: Sequence[str]) -> dict[str, float]:
    """Figures of a finished run with these options of `posekit eval`."""
    file = run / "evaluated.json"
    asked = ["eval", "--model", str(run), "--json", str(file), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "posekit", *asked], check=True, env=environment, stdout=subprocess.DEVNULL)
    return dict(json.loads(file.read_text(encoding="utf-8"))["figures"])


def held(name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Runs that a result file already contains: by method, and by method and seed."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return {}, {}
    before = json.loads(file.read_text(encoding="utf-8"))
    # A file of several goes says of each run what it was made with; one of a single go says it once.
    about = {key: before[key] for key in ("commit", "date")}
    repeats = before.get("repeats", {})
    return (
        {method: {**about, **run} for method, run in before["methods"].items()},
        {method: {seed: {**about, **run} for seed, run in runs.items()} for method, runs in repeats.items()},
    )


def main() -> None:
    """Run a ladder and write its result file after every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETUPS)
    parser.add_argument("--only", nargs="+", default=METHODS)
    parser.add_argument("--every", action="store_true", help="every 2-D representation instead of --only")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--root", type=Path, default=Path("runs/ladder"))
    parser.add_argument("--flip-test", action="store_true", help="measure again with the mirrored images")
    parser.add_argument("--decode", nargs="+", default=[], help="with --flip-test, fields of the codec, field=value")
    parser.add_argument("--name", help="of the result file; default ladder_DATA")
    asked, extra = parser.parse_known_args()
    setup = SETUPS[asked.data]
    setup = replace(setup, epochs=asked.epochs) if asked.epochs else setup
    name = asked.name or f"ladder_{asked.data}"
    methods, repeats = held(name)
    files = training_files(setup, asked.root)
    for seed in asked.seeds:
        for method in EVERY if asked.every else asked.only:
            run = asked.root / (f"{asked.data}-{method}-{setup.epochs}" + (f"-seed{seed}" if seed else ""))
            words = command(setup, files, f"{method}-tiny", run, seed, tuple(extra))
            place, key = (repeats.setdefault(method, {}), str(seed)) if seed else (methods, method)
            if place.get(key, {}).get("command") != shown(words, run):
                place[key] = train(words, run)
            if asked.flip_test and "flip_test" not in place[key]:
                place[key]["flip_test"] = flipped(setup, run)
            if asked.decode:
                place[key].setdefault("decoded", {})[" ".join(asked.decode)] = flipped(setup, run, asked.decode)
            found = {"methods": methods, **({"repeats": repeats} if repeats else {})}
            file = write(name, found, data=asked.data, size=setup.size)
            print(f"{method}, seed {seed}: {place[key]['figures']}; in {file}", flush=True)


if __name__ == "__main__":
    main()
