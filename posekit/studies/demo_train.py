"""`make demo-train`: train briefly on synthetic people, evaluate on held-out ones, and draw predictions.

Needs no download. The exit status is 1 if the share of found points is below `ENOUGH`, so it is also a check.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from posekit.data.dataset import Dataset
from posekit.data.synthetic import Synthetic
from posekit.evaluation.sets import Sets
from posekit.recipe import Recipe, save
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.run import train
from posekit.visualize.draw import draw_poses, sheet
from posekit.zoo.load import load

RECIPE, SKELETON, SIZE = "topdown-dark-tiny", "lsp14", (96, 96)
LEARN, HELD_OUT, EPOCHS = 3000, 300, 2
METRIC, ENOUGH = "pck_torso@0.2", 0.85
SHOWN = 12


def demo_recipe() -> Recipe:
    """A tiny network on small crops for a few thousand synthetic people."""
    recipe = RECIPES[RECIPE](SKELETONS[SKELETON], size=SIZE)
    return replace(recipe, train=replace(recipe.train, epochs=EPOCHS), metric=METRIC)


def synthetic_sets() -> Sets:
    """Synthetic people for training, and others, with another seed, for evaluation."""
    skeleton = SKELETONS[SKELETON]
    learn, held_out = (
        Synthetic(skeleton, count=count, size=SIZE, seed=seed).dataset() for count, seed in ((LEARN, 1), (HELD_OUT, 2))
    )
    return Sets(learn, held_out, (f"{SKELETON} synthetic people: {LEARN} for training, {HELD_OUT} held out",))


def draw_predictions(run: Path, dataset: Dataset) -> Path:
    """Predict some held-out people with the trained model, through `posekit.load`, and draw them."""
    pipeline = load(run)
    samples = [dataset.instance(i) for i in range(SHOWN)]
    poses = pipeline([s.image for s in samples], [s.instances.boxes for s in samples])
    pictures = [
        draw_poses(s.image, found.xy, found.score, dataset.skeleton, threshold=0.2)
        for s, found in zip(samples, poses, strict=True)
    ]
    target = run / "predictions.png"
    cv2.imwrite(str(target), np.ascontiguousarray(sheet(pictures, columns=4)[..., ::-1]))
    return target


def main(folder: str = "demo-train") -> int:
    """Run the demo; status 1 when too few points were found."""
    run = Path(folder)
    if run.exists():
        shutil.rmtree(run)
    run.mkdir(parents=True)
    recipe, sets = demo_recipe(), synthetic_sets()
    save(recipe, run / "recipe.json")
    measured = train(recipe, run, sets, device="cpu")
    if measured is None:
        return 1
    print(f"predictions drawn in {draw_predictions(run, sets.val)}")
    print(f"report in {run / 'report.html'}")
    found = measured.figures[METRIC]
    print(f"{METRIC} on held-out people: {found:.3f} (at least {ENOUGH} expected)")
    return 0 if found >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
