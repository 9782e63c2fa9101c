"""Which ideas for small networks help on real data: `posekit ablate` on the sets and budgets of the ladders.

    python -m benchmarks.light mtfl5|lspe [--with IDEA...] [--no-together] [--seeds N...] [--root DIR]

`mtfl5` trains the recipe alone and with all ideas under three seeds, and with each idea once; `lspe` the recipe alone,
from ImageNet's weights, and with four together. Finished runs are kept under the root, so a study is made in several
goes: with more and more ideas and `--no-together`, and at last with all. Each go writes ``light_DATA.json`` with what
it compared. Further words are handed on to `posekit ablate`.
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
        (
            *("aid", "hide_and_seek", "grid_mask", "silu", "hardswish", "mish", "frelu", "meta_acon", "dynamic"),
            *("condconv", "guided", "okdhp", "netaug", "qfl", "eqfl"),
        ),
        (0, 1, 2),
    ),
    "lspe": Study(
        ("guided", "frelu", "aid", f"teacher:{root() / 'lspe' / 'teacher_movenet_thunder.json'}"),
        (0,),
        (*IMAGENET, "--no-single"),
    ),
}
"""What is compared on each set; the four of `lspe` go together."""


def command(data: str, ideas: tuple[str, ...], seeds: tuple[int, ...], out: Path, extra: tuple[str, ...]) -> list[str]:
    """Words of `posekit ablate`."""
    setup, study = SETUPS[data], STUDIES[data]
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
    parser.add_argument("data", choices=STUDIES)
    parser.add_argument("--with", nargs="+", dest="ideas")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--root", type=Path, default=Path("runs/light"))
    asked, extra = parser.parse_known_args()
    study = STUDIES[asked.data]
    out = asked.root / asked.data
    out.mkdir(parents=True, exist_ok=True)
    words = command(asked.data, tuple(asked.ideas or study.ideas), tuple(asked.seeds or study.seeds), out, tuple(extra))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    result = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    said = (
        " ".join(["posekit", *words])
        .replace(str(root()), "$POSEKIT_DATA")
        .replace(str(out), f"runs/light/{asked.data}")
    )
    print(
        f"in {write(f'light_{asked.data}', {'asked': said, **result}, data=asked.data, size=SETUPS[asked.data].size)}"
    )


if __name__ == "__main__":
    main()
