"""Which representations survive INT8: `python -m benchmarks.int8 RUN...`, finished runs on LSP, as of the ladder.

Each run becomes an OpenVINO file in 8 bits, with ranges found on training images, and is measured before and after on
`lspe`'s validation images; what is lost is told, whatever it is. Data is in `POSEKIT_DATA`; the figures go to
`benchmarks/results/int8.json`, where `posekit study int8` reads them.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.data.coco import read_coco, write_coco
from posekit.exporting.images import spread
from posekit.recipe import load

TRAIN, VAL = (f"lspe/annotations/lspe_{split}.json" for split in ("train", "val"))
CALIBRATION = 200
KEYS = ("pck@0.05", "pck_torso@0.2", "nme_box", "median")


def measured(run: Path, ranges: Path) -> dict[str, Any]:
    """Figures in 32 and in 8 bits."""
    with tempfile.TemporaryDirectory() as folder:
        made = posekit.export(
            run, "openvino", out=Path(folder) / "model.xml", int8=ranges, images=root() / VAL, max_drop=1.0
        )
    rows = {kind: {key: round(figures[key], 4) for key in KEYS} for kind, figures in made.figures.items()}
    return {**rows, "lost": round(rows["fp32"]["pck@0.05"] - rows["int8"]["pck@0.05"], 4)}


def main() -> None:
    """Measure every run and write the file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    file = RESULTS / "int8.json"
    found = json.loads(file.read_text(encoding="utf-8"))["methods"] if file.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        ranges = Path(folder) / "ranges.json"
        dataset = read_coco(root() / TRAIN)
        write_coco(dataset.subset(spread(np.arange(len(dataset)), CALIBRATION)), ranges)
        for run in asked.runs:
            name = load(run / "recipe.json").name
            found[name] = measured(run, ranges)
            print(name, found[name], flush=True)
            write("int8", {"measured on": "lspe val", "methods": found, **circumstances()})


if __name__ == "__main__":
    main()
