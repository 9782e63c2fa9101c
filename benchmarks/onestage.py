"""Systems for full images, trained alike from `body-s`: `python -m benchmarks.onestage --systems centernet ttfnet`.

Each starts from the backbone of MoveNet MultiPose; CenterNet, TTFNet and DEKR also from its pyramid and from its heads
where these mean the same. All see the same number of images of `coco_person` and
`coco_mini_person` and are measured on `coco_person`'s validation scenes. A run lies in OUT/SYSTEM, an interrupted one
is resumed, and ``onestage.json`` is written after each. Data is in `POSEKIT_DATA`.
"""

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.data.coco import read_coco
from posekit.data.dataset import Dataset, merged
from posekit.engines.torch import TorchEngine
from posekit.evaluation.matching import precision
from posekit.evaluation.measure import found, measure
from posekit.evaluation.sets import Sets
from posekit.geometry.skeleton import Skeleton
from posekit.models.backbones.movenet import MoveNet
from posekit.pipelines.predictor import Predictor
from posekit.postprocess.rescorer import PoseShape
from posekit.recipe import Recipe, changed, save
from posekit.recipes import RECIPES
from posekit.training.initial import initial_net
from posekit.training.pose_scorer import rescorer_of, train_scorer, true_oks
from posekit.training.run import train
from posekit.zoo.weights import load_weights

SYSTEMS = ("centernet", "ttfnet", "dekr", "fcos", "directpose", "fcpose")
SIZE = 256
IMAGES = 20_000
"""Seen by every run."""
ALSO = (320, 384)
"""Other sizes at which the trained networks are measured."""
BATCH = 8
INIT = "body-s"
OPTIONS: dict[str, Any] = {
    "train.batch": BATCH,
    "train.lr": 1e-3,
    "train.backbone_lr_mult": 0.3,
    "train.tensorboard": False,
    "train.precision": "bf16",
    # Twenty thousand images are too few to learn people upside down, and small ones are small enough in these.
    "augment.scene.scale": (0.8, 1.8),
    "augment.scene.rotate_probability": 0.0,
}
"""Options of every run that differ from the recipe's."""
STARTED: dict[str, Any] = {"train.lr": 2e-4}
"""Options of the systems whose heads are pretrained too: at 5e-4, CenterNet fell from an AP of .275 to .171."""
RESCORED = ("dekr",)
"""Systems that are published with a network that scores poses by their shape."""
PRETRAINED = ("centernet", "ttfnet", "dekr", "movenet")


def started(system: str, skeleton: Skeleton, size: int = SIZE) -> Recipe:
    """The tiny form of a system on MoveNet MultiPose's backbone, from the weights of `body-s`."""
    recipe = RECIPES[f"{system}-tiny"](skeleton, size=(size, size), backbone="movenet")
    recipe = replace(recipe, model=replace(recipe.model, backbone=MoveNet("multipose")), init=INIT)
    return changed(recipe, OPTIONS | (STARTED if system in PRETRAINED else {}))


def labels(name: str, split: str) -> Path:
    """A label file of `POSEKIT_DATA`."""
    return root() / name / "annotations" / f"person_keypoints_{split}.json"


def scenes() -> Sets:
    """All training scenes of both sets, and `coco_person`'s validation scenes."""
    learn = merged([read_coco(labels(name, "train")) for name in ("coco_person", "coco_mini_person")])
    return Sets(learn, read_coco(labels("coco_person", "val")), ())


def curve_of(folder: Path) -> list[dict[str, float]]:
    """AP after each evaluated epoch."""
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/AP")]
    return [{"images": int(row["images"]), "AP": round(float(row["val/AP"]), 4)} for row in rows]


def measured(net: nn.Module, recipe: Recipe, dataset: Dataset) -> dict[str, float]:
    """Figures of a network."""
    return measure(Predictor(TorchEngine(net, recipe.codec, recipe.spec())), dataset).figures


def trained(recipe: Recipe, folder: Path) -> nn.Module:
    """The network of a run, for the size of a recipe."""
    net = recipe.build(weights=False)
    net.load_state_dict(load_weights(folder).net.state_dict())
    return net.eval()


def at_size(system: str, folder: Path, sets: Sets, size: int) -> float:
    """AP of a trained network with a larger input than it was trained with."""
    recipe = started(system, sets.train.skeleton, size)
    return round(measured(trained(recipe, folder), recipe, sets.val)["AP"], 4)


def rescored(system: str, folder: Path, sets: Sets, size: int) -> float:
    """AP with the scores of DEKR's scoring network, trained on the poses found in every fourth training scene."""
    recipe = started(system, sets.train.skeleton, size)
    predictor = Predictor(TorchEngine(trained(recipe, folder), recipe.codec, recipe.spec()))
    images = sets.train.image_of_instance()
    part = sets.train.subset(np.flatnonzero(images % 4 == 0))
    shape, poses = PoseShape.of(part.skeleton), found(predictor, part)
    worth = [
        true_oks(each, part.instances(part.rows_of_image(number)), part.skeleton.oks_sigmas)
        for number, each in enumerate(poses)
    ]
    features = np.concatenate([shape.features(each.xy, each.score) for each in poses])
    rescorer = rescorer_of(train_scorer(features, np.concatenate(worth), epochs=20, seed=0), shape)
    return round(precision([rescorer(each) for each in found(predictor, sets.val)], sets.val)["AP"], 4)


def run(system: str, sets: Sets, asked: argparse.Namespace) -> dict[str, Any]:
    """Train a system, or finish it, and return its figures."""
    recipe = started(system, sets.train.skeleton, asked.size)
    epochs = max(1, round(asked.images / sets.train.scenes))
    recipe = changed(recipe, {"train.epochs": epochs, "train.eval_every": min(epochs, 2), "seed": asked.seed})
    folder = asked.out / system
    folder.mkdir(parents=True, exist_ok=True)
    save(recipe, folder / "recipe.json")
    before = measured(initial_net(recipe, print), recipe, sets.val) if system in PRETRAINED else {}
    best = train(recipe, folder, sets, device="cpu", resume=True)
    assert best is not None
    net = recipe.build(weights=False)
    curve = curve_of(folder)
    sizes = [size for size in (asked.size, *ALSO) if system in RESCORED and size >= asked.size]
    scores = {str(size): rescored(system, folder, sets, size) for size in sizes}
    return {
        **({"untrained": {name: round(before[name], 4) for name in ("AP", "AP50")}} if before else {}),
        "AP": round(best.figures["AP"], 4),
        "AP50": round(best.figures["AP50"], 4),
        **({"AP_rescored": scores} if scores else {}),
        "AP_at": {str(size): at_size(system, folder, sets, size) for size in ALSO if size > asked.size},
        "parameters": sum(p.numel() for p in net.parameters()),
        "images_seen": curve[-1]["images"],
        "size": asked.size,
        "seed": asked.seed,
        "curve": curve,
        **{key: circumstances()[key] for key in ("command", "commit", "date")},
    }


def main() -> None:
    """Train the named systems, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=(*SYSTEMS, "movenet"))
    parser.add_argument("--images", type=int, default=IMAGES, help="images seen by each run, rounded to whole epochs")
    parser.add_argument("--size", type=int, default=SIZE, help="side of the network's input in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/onestage"), help="folder of the runs")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sets = scenes()
    for system in asked.systems:
        result = run(system, sets, asked)
        # Another process may have written results of other systems meanwhile.
        file = RESULTS / "onestage.json"
        systems = json.loads(file.read_text(encoding="utf-8"))["systems"] if file.is_file() else {}
        systems[system] = result
        write("onestage", {"systems": systems}, init=INIT, measured_on="coco_person val, 317 scenes")
        print(
            f"{system}: AP {result['AP']:.4f}, AP50 {result['AP50']:.4f} after {result['images_seen']} images",
            flush=True,
        )


if __name__ == "__main__":
    main()
