"""Which techniques for small networks help on real data: `posekit ablate` on the sets and budgets of the ladders.

    python -m benchmarks.light STUDY [--with TECHNIQUE...] [--seeds N...] [--technique-seeds N...] [--root DIR]

`mtfl5` trains the plain recipe with three seeds, and with each technique once; `mtfl5_together` combines one
technique of each kind, with three seeds; `mtfl5_best` those of them that do not lose alone, once; `lspe` trains the
plain recipe from ImageNet weights, and with four techniques together; `lspe_movenet` and `lspe_movenet_bone` train from
MoveNet Lightning's weights (in `runs/mn-lightning`, where `posekit models convert movenet-lightning` wrote them), each
technique alone, heatmaps and for the loss of bone lengths DSNT. Finished runs are kept, and a study can be made
in several calls with some of the techniques or seeds each: ``light_STUDY.json`` keeps earlier results as long as the
plain recipe gave the same figures. Techniques that it has are not trained again, nor the plain recipe if a ladder's
result file contains that run. All other options are passed to `posekit ablate`.
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

from benchmarks.ladder import SETUPS, Setup, held, root, training_files
from benchmarks.ladder import command as ladder_command
from benchmarks.record import RESULTS, write
from posekit.metrics.protocols import PROTOCOLS
from posekit.studies.ablate import BASELINE, TOGETHER


@dataclass(frozen=True)
class Study:
    """What is compared on one data set."""

    data: str
    ladder: str
    "whose result file may hold the recipe alone"
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    extra: tuple[str, ...] = ()
    "fields of the recipe"
    parts: tuple[str, ...] = ()
    "which of the study's runs are left out"
    method: str = "topdown-dark"
    "whose tiny form is the plain recipe"
    epochs: int = 0
    "0: as many as the ladder of the data"

    @property
    def recipe(self) -> str:
        """Name of the plain recipe."""
        return f"{self.method}-tiny"

    @property
    def setup(self) -> Setup:
        """Data, size and epochs."""
        setup = SETUPS[self.data]
        return replace(setup, epochs=self.epochs) if self.epochs else setup


IMAGENET = (
    *("--backbone", "efficientnet_lite", "--model.backbone.weights", "imagenet"),
    *("--train.lr", "3e-3", "--train.backbone-lr-mult", "0.33", "--augment.geometry.rotation", "0"),
    *("--augment.geometry.scale", "0.1", "--augment.geometry.shift", "0.05"),
    *("--train.freeze", "backbone.conv_stem", "backbone.bn1", *(f"backbone.blocks.{i}" for i in range(3))),
)
"""The settings of the heatmaps in ``ladder_lspe_imagenet.json``."""

MOVENET = (
    *("--init", "runs/mn-lightning", "--train.lr", "1e-3", "--train.precision", "bf16"),
    *("--augment.geometry.rotation", "30"),
)
"""The settings of ``ladder_lspe_movenet.json``."""

THUNDER = tuple(f"{technique}:{root() / 'lspe' / 'teacher_movenet_thunder.json'}" for technique in ("teacher", "clean"))
"""Techniques that use the predictions of MoveNet Thunder."""

STUDIES = {
    "mtfl5": Study(
        "mtfl5",
        "ladder_mtfl5",
        (
            *("aid", "hide_and_seek", "grid_mask", "silu", "hardswish", "mish", "frelu", "meta_acon", "dynamic"),
            *("condconv", "guided", "okdhp", "netaug", "qfl", "eqfl"),
        ),
        (0, 1, 2),
        parts=("--no-together",),
    ),
    "mtfl5_together": Study(
        "mtfl5",
        "ladder_mtfl5",
        ("aid", "frelu", "condconv", "guided", "okdhp"),
        (0, 1, 2),
        parts=("--no-single",),
    ),
    "mtfl5_best": Study(
        "mtfl5",
        "ladder_mtfl5",
        ("frelu", "condconv", "guided", "okdhp"),
        (0,),
        parts=("--no-single",),
    ),
    "lspe": Study(
        "lspe",
        "ladder_lspe_imagenet",
        (
            "guided",
            "half_body",
            *THUNDER,
        ),
        (0,),
        IMAGENET,
        ("--no-single",),
    ),
    "lspe_movenet": Study(
        "lspe",
        "ladder_lspe_movenet",
        ("half_body", *THUNDER, "aid", "okdhp", "condconv"),
        (0, 1),
        MOVENET,
        ("--no-together",),
        epochs=3,
    ),
    "lspe_movenet_bone": Study(
        "lspe",
        "ladder_lspe_movenet",
        ("bone",),
        (0, 1),
        MOVENET,
        ("--no-together",),
        method="topdown-dsnt",
        epochs=3,
    ),
}
"""Name to what is compared."""


def command(
    study: Study, techniques: tuple[str, ...], seeds: tuple[int, ...], out: Path, extra: tuple[str, ...]
) -> list[str]:
    """Arguments of `posekit ablate`."""
    setup = study.setup
    height, width = map(str, setup.size)
    files = training_files(setup, out)
    return [
        *("ablate", study.recipe, "--data.train", *map(str, files), "--data.val", str(root() / setup.val)),
        *("--size", height, width, "--train.epochs", str(setup.epochs), *setup.extra, *study.extra),
        *study.parts,
        *("--with", *techniques, "--seeds", *map(str, seeds), "--out", str(out), *extra),
    ]


def lay_down(study: Study, seeds: tuple[int, ...], out: Path) -> dict[str, str]:
    """Take runs of the plain recipe from a ladder's result file; return which, and their commits."""
    setup = study.setup
    first, others = held(study.ladder)
    runs = {"0": first.get(study.method, {}), **others.get(study.method, {})}
    found = {}
    for seed in seeds:
        run = runs.get(str(seed), {})
        folder = out / f"{BASELINE}-seed{seed}"
        asked = " ".join(ladder_command(setup, [], study.recipe, out, seed, study.extra))
        # What stands before is the same but for the locations of files.
        if run.get("command", "").partition(" --resume ")[2] != asked.partition(" --resume ")[2]:
            continue
        found[folder.name] = f"{study.ladder}.json, commit {run['commit']}"
        if not (folder / "summary.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            kept = {key: run[key] for key in ("figures", "main", "baselines", "images_seen")}
            (folder / "summary.json").write_text(json.dumps(kept), encoding="utf-8")
    return found


def options_of(said: str) -> str:
    """A command of `posekit ablate` without what differs between calls of one study."""
    parts = said.split(" --")
    return " --".join(part for part in parts if part.split()[0] not in {"with", "seeds", "technique-seeds", "out"})


def keep_earlier(name: str, out: Path, said: str) -> dict[str, str]:
    """Lay down the techniques' runs of earlier calls from the study's result file; return which, and their commit.

    None where a call had other options than ``said``.
    """
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return {}
    before, found = json.loads(file.read_text(encoding="utf-8")), {}
    if any(options_of(earlier) != options_of(said) for earlier in before["asked"]):
        return {}
    for variant, row in before["variants"].items():
        # Files from before seeds were written down have the first ones.
        seeds = row.get("seeds", range(len(row["values"])))
        for seed, value, best in zip(seeds, row["values"], row["best_epochs"], strict=True):
            folder = out / f"{variant}-seed{seed}"
            if variant == BASELINE or (folder / "summary.json").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            kept = {"figures": {before["metric"]: value}, "main": before["metric"]}
            kept |= {"images_seen": before["images_seen"], "best_epoch": best}
            (folder / "summary.json").write_text(json.dumps(kept), encoding="utf-8")
            found[folder.name] = f"{file.name}, commit {row.get('commit', before['commit'])}"
    return found


def main() -> None:
    """Run a study and write its result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--with", nargs="+", dest="techniques")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--technique-seeds", nargs="+", type=int, help="of each technique alone; default the first")
    parser.add_argument("--root", type=Path, default=Path("runs/light"))
    asked, extra = parser.parse_known_args()
    study = STUDIES[asked.study]
    out = asked.root / asked.study
    out.mkdir(parents=True, exist_ok=True)
    seeds = tuple(asked.seeds or study.seeds)
    name = f"light_{asked.study}"
    alone = tuple(asked.technique_seeds or seeds[:1])
    extra += ["--technique-seeds", *map(str, alone)]
    words = command(study, tuple(asked.techniques or study.techniques), seeds, out, tuple(extra))
    said = (
        " ".join(["posekit", *words])
        .replace(str(root()), "$POSEKIT_DATA")
        .replace(str(out), f"runs/light/{asked.study}")
    )
    taken = lay_down(study, seeds, out) | keep_earlier(name, out, said)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    result = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    for variant, row in result["variants"].items():
        row["seeds"] = seeds if variant in (BASELINE, TOGETHER) else alone
        row["best_epochs"] = [best_epoch(out / f"{variant}-seed{seed}", result["metric"]) for seed in row["seeds"]]
    found = joined(name, {"asked": [said], "taken": taken, **result})
    print(f"in {write(name, found, data=study.data, size=study.setup.size)}")


def best_epoch(run: Path, metric: str) -> int | None:
    """The best epoch of a run: a technique that starts later has no effect on its figures. ``None``: unknown."""
    file = run / "metrics.csv"
    if not file.exists():
        summary = run / "summary.json"
        return json.loads(summary.read_text(encoding="utf-8")).get("best_epoch") if summary.exists() else None
    with file.open(encoding="utf-8") as rows:
        values = {
            int(row["epoch"]): float(row[f"val/{metric}"]) for row in csv.DictReader(rows) if row[f"val/{metric}"]
        }
    return (max if PROTOCOLS[metric].higher else min)(values, key=values.__getitem__)


def joined(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """With the variants of earlier calls; their costs are ratios to the plain recipe, timed in the same call."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return result
    before = json.loads(file.read_text(encoding="utf-8"))
    if before["variants"][BASELINE]["values"] != result["variants"][BASELINE]["values"]:
        return result
    asked = [*(said for said in before["asked"] if said not in result["asked"]), *result["asked"]]
    return {**result, "asked": asked, "variants": {**before["variants"], **result["variants"]}}


if __name__ == "__main__":
    main()
