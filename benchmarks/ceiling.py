"""The upper limit of every system for full images: AP of perfect maps on real scenes.

    python -m benchmarks.ceiling [--only NAME...] [--data FILE] [--quick]

The labels of COCO's val images (`coco_person`) are fitted into the image size, encoded, and turned into the raw maps
of a network without errors (`Codec.perfect`). The maps are decoded, pass NMS and are moved back to the original image
as for a model, and COCO's AP is measured. No network runs. The difference to 1 is lost by the representation itself:
people who share a cell or are too small, more people than it decodes, cells that are too coarse.

The light recipes are measured at 256x256, the plain ones at 512x512. ``--quick`` takes every tenth image and writes no
file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.ladder import root
from benchmarks.record import write
from posekit.codecs.one_stage.fcpose import FCPose
from posekit.data.batch import Batch, collate
from posekit.data.dataset import Dataset
from posekit.data.readers import read
from posekit.evaluation.matching import precision
from posekit.geometry.keypoints import Poses
from posekit.recipe import Recipe
from posekit.recipes import RECIPES, SYSTEMS
from posekit.skeletons.body import COCO17

LABELS = "coco_person/annotations/person_keypoints_val.json"
BATCH = 4
FORMS = {"-tiny": (256, 256), "": (512, 512)}


def recipes(only: list[str]) -> Iterator[Recipe]:
    """The light recipe of every system, then the plain one."""
    for suffix, size in FORMS.items():
        for name in only:
            recipe = RECIPES[f"{name}{suffix}"](COCO17, size=size)
            codec = recipe.codec
            if isinstance(codec, FCPose):
                # It gives perfect maps of those whom it learns from: here of as many as it finds.
                codec = replace(codec, learnt=codec.max_instances)
            yield replace(recipe, codec=codec)


def found(recipe: Recipe, dataset: Dataset, batches: list[Batch]) -> list[Poses]:
    """Poses that a network without errors finds, in pixels of the original images."""
    codec, sigmas, everyone = recipe.codec, recipe.skeleton.oks_sigmas, []
    for batch in batches:
        poses = codec.decode(codec.perfect(codec.encode(batch.instances))).each(lambda a: a.float().numpy())
        for n, back in enumerate(batch.to_source.numpy()):
            everyone.append(recipe.nms(poses[n], sigmas).transformed(back))
    return everyone


def batches(dataset: Dataset, recipe: Recipe) -> Iterator[Batch]:
    """Batches of images fitted into the input size."""
    for start in range(0, dataset.scenes, BATCH):
        numbers = range(start, min(start + BATCH, dataset.scenes))
        yield collate([recipe.augment.still_scene(dataset.scene(n), size=recipe.size) for n in numbers])


def measured(only: list[str], dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Figures of every recipe, by its name."""
    figures: dict[str, dict[str, Any]] = {}
    shown: dict[tuple[int, int], list[Batch]] = {}
    for recipe in recipes(only):
        if recipe.size not in shown:
            shown = {recipe.size: list(batches(dataset, recipe))}
        result = precision(found(recipe, dataset, shown[recipe.size]), dataset)
        figures[recipe.name] = {"size": list(recipe.size), **{key: round(value, 4) for key, value in result.items()}}
        print(f"{recipe.name:18}{recipe.size[0]:5}{figures[recipe.name]['AP']:8.3f}", flush=True)
    return figures


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--data", type=Path, default=root() / LABELS)
    parser.add_argument("--quick", action="store_true", help="every tenth image, no result file")
    asked = parser.parse_args()
    dataset = replace(read([asked.data]), skeleton=COCO17)
    if asked.quick:
        dataset = dataset.subset([i for i, n in enumerate(dataset.image_of_instance()) if n % 10 == 0])
    with torch.inference_mode():
        figures = measured(asked.only, dataset)
    if not asked.quick and asked.only == list(SYSTEMS):
        about = {"data": asked.data.name, "images": len(dataset.images), "people": len(dataset.rows)}
        print(f"in {write('ceiling', {'systems': figures}, **about)}")


if __name__ == "__main__":
    main()
