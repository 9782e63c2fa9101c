"""One method in a process of its own: train to a rung and predict, or measure the finished model.

python -m posekit.studies.compare.worker train|measure FOLDER [--until EPOCH] [--device DEVICE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.dataset import Dataset
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import predicted
from posekit.evaluation.sets import Sets, read_sets
from posekit.exporting.images import from_labels
from posekit.exporting.making import Making
from posekit.exporting.results import Compared, ExportError
from posekit.models.compress.count import measure as count
from posekit.pipelines.predictor import Predictor
from posekit.recipe import Recipe, load
from posekit.studies.bench import cold_start
from posekit.studies.compare.plan import Plan, read
from posekit.studies.compare.spoil import SPOILS, Spoiled
from posekit.training.loop import Loop
from posekit.zoo.weights import load_weights

COMPARED = 32
"""Images on which an exported file is compared with the network."""
MEASURED = "measured.json"


def rung_file(folder: Path, epoch: int) -> Path:
    """Predictions for the validation set after an epoch: ``xy`` (M, K, 2) and ``score`` (M, K)."""
    return folder / f"rung-{epoch}.npz"


def sets_of(recipe: Recipe, made: Plan) -> Sets:
    """Training and validation set; the same part of the training set for all methods."""
    sets = read_sets(recipe.data)
    if made.instances >= len(sets.train):
        return sets
    drawn = np.random.default_rng(made.seed).choice(len(sets.train), made.instances, replace=False)
    return replace(sets, train=sets.train.subset(np.sort(drawn)))


def train(folder: Path, until: int, device: str) -> None:
    """Train to an epoch, from where the folder stands, and predict the validation set."""
    recipe = load(folder / "recipe.json")
    sets = sets_of(recipe, read(folder.parents[1]))
    loop = Loop(recipe, folder, sets.train, sets.val, device=device)
    loop.resume()
    loop.train(until)
    net = loop.net if loop.ema is None else loop.ema.module
    _save(rung_file(folder, until), **_predicted(loop.predictor(net), sets.val))


def measure(folder: Path, device: str) -> None:
    """Predict spoiled crops, export, and count the cost of a finished method."""
    weights = load_weights(folder)
    sets = sets_of(weights.recipe, read(folder.parents[1]))
    engine = TorchEngine(weights.net, weights.recipe.full_codec, weights.spec, device)
    for name in SPOILS:
        _save(folder / f"{name}.npz", **_predicted(Predictor(Spoiled(engine, name)), sets.val))
    costs = count(weights.net.cpu(), weights.recipe.size)
    told: dict[str, Any] = {
        part: {"parameters": cost.parameters, "macs": cost.macs} for part, cost in costs.items() if part != "neck"
    }
    told |= exported(folder, sets.val)
    beside = folder / f"{MEASURED}.new"
    beside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / MEASURED)


def exported(folder: Path, val: Dataset) -> dict[str, Any]:
    """Export to ONNX and check; the file, its size, and what it costs to start. A failed check is told, not raised."""
    making = Making(folder / "best", "onnx", "fp32", None, False, print)
    file = folder / "model.onnx"
    images = from_labels(making.spec, val, COMPARED)
    try:
        making.make(file, Compared("crops of the validation data", images))
    except ExportError as error:
        return {"export": str(error)}
    return {"onnx": file.name, "bytes": file.stat().st_size, "start": cold_start(str(file), "onnx", 1)}


def _predicted(predictor: Predictor, val: Dataset) -> dict[str, Any]:
    poses = predicted(predictor, val)
    return {"xy": poses.xy, "score": poses.score}


def _save(file: Path, **arrays: Any) -> None:
    """Write arrays so that a killed process leaves no half file."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    beside.replace(file)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("train", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(argv)
    if asked.step == "train":
        train(asked.folder, asked.until, asked.device)
    else:
        measure(asked.folder, asked.device)


if __name__ == "__main__":
    main()
