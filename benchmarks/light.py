"""Which ideas for small networks help on real data: `posekit ablate` on the sets and budgets of the ladders.

    python -m benchmarks.light mtfl5|mtfl5_together|lspe [--with IDEA...] [--seeds N...] [--root DIR]

`mtfl5` trains the recipe alone under three seeds, and with each idea once; `mtfl5_together` with one idea of each kind
at once, under three seeds; `lspe` the recipe alone, from ImageNet's weights, and with four together. Finished runs are
kept under the root, so a study is made in several goes, with more and more ideas. Each go writes ``light_STUDY.json``
with what it compared. Further words are handed on to `posekit ablate`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ladder import SETUPS, root, training_files
from benchmarks.record import write

RECIPE = "topdown-dark-tiny"


@dataclass(frozen=True)
class Study:
    """What is compared on one data set."""

    data: str
    ideas: tuple[str, ...]
    seeds: tuple[int, ...]
    extra: tuple[str, ...] = ()


IMAGENET = (
    *("--backbone", "efficientnet_lite", "--model.backbone.weights", "imagenet"),
    *("--train.lr", "3e-3", "--train.trunk", "0.33", "--augment.geometry.rotation", "0"),
    *("--augment.geometry.scale", "0.1", "--augment.geometry.shift", "0.05"),
    *("--train.freeze", "backbone.conv_stem", "backbone.bn1", *(f"backbone.blocks.{i}" for i in range(3))),
)
"""The settings of the heatmaps in ``ladder_lspe_imagenet.json``."""

STUDIES = {
    "mtfl5": Study(
        "mtfl5",
        (
            *("aid", "hide_and_seek", "grid_mask", "silu", "hardswish", "mish", "frelu", "meta_acon", "dynamic"),
            *("condconv", "guided", "okdhp", "netaug", "qfl", "eqfl"),
        ),
        (0, 1, 2),
        ("--no-together",),
    ),
    "mtfl5_together": Study("mtfl5", ("aid", "frelu", "dynamic", "guided", "okdhp"), (0, 1, 2), ("--no-single",)),
    "lspe": Study(
        "lspe",
        ("guided", "frelu", "aid", f"teacher:{root() / 'lspe' / 'teacher_movenet_thunder.json'}"),
        (0,),
        (*IMAGENET, "--no-single"),
    ),
}
"""Name to what is compared."""


def command(
    study: Study, ideas: tuple[str, ...], seeds: tuple[int, ...], out: Path, extra: tuple[str, ...]
) -> list[str]:
    """Words of `posekit ablate`."""
    setup = SETUPS[study.data]
    height, width = map(str, setup.size)
    files = training_files(setup, out)
    return [
        *("ablate", RECIPE, "--data.train", *map(str, files), "--data.val", str(root() / setup.val)),
        *("--size", height, width, "--train.epochs", str(setup.epochs), *setup.extra, *study.extra),
        *("--with", *ideas, "--seeds", *map(str, seeds), "--out", str(out), *extra),
    ]


def main() -> None:
    """Run a study and write its result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--with", nargs="+", dest="ideas")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--root", type=Path, default=Path("runs/light"))
    asked, extra = parser.parse_known_args()
    study = STUDIES[asked.study]
    out = asked.root / study.data
    out.mkdir(parents=True, exist_ok=True)
    words = command(study, tuple(asked.ideas or study.ideas), tuple(asked.seeds or study.seeds), out, tuple(extra))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    result = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    said = (
        " ".join(["posekit", *words])
        .replace(str(root()), "$POSEKIT_DATA")
        .replace(str(out), f"runs/light/{study.data}")
    )
    file = write(f"light_{asked.study}", {"asked": said, **result}, data=study.data, size=SETUPS[study.data].size)
    print(f"in {file}")


if __name__ == "__main__":
    main()
