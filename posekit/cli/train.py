"""`posekit train RECIPE --data.train F`: read the data, report what was inferred, train."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from posekit.api.images_there import check_images
from posekit.api.suited import suited
from posekit.api.train import recipe_for, train_recipe, with_data
from posekit.cli.arguments import First, first_pass, given, named, second_pass
from posekit.evaluation.sets import Sets, read_sets
from posekit.geometry.skeleton import Skeleton
from posekit.metrics.protocols import PROTOCOLS
from posekit.models.backbones import BACKBONES
from posekit.recipe import Recipe, RecipeError, load
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

USAGE = """usage: posekit train RECIPE --data.train FILE... [--data.val FILE...] [options]

Train on your own labelled images (COCO JSON, YOLO data.yaml, or a pack).

recipes: {recipes}
         each also as NAME-tiny for the CPU; or a recipe.json to repeat a run
         mtcnn, a cascade for faces and their five points, has its own options: posekit train mtcnn --help
         temporal, a network that steadies tracks, likewise: posekit train temporal --help

  --data.train FILE...   label files to train on; several are joined
  --data.val FILE...     label files for validation (none: every tenth image is held out)
  --data.people FILE...  label files of single people to paste into full images
  --data.images DIR      folder of the images, where the label file does not lead to it
  --data.category NAME   whose points, where a file has several categories
  --data.skeleton NAME   a known skeleton with as many points: {skeletons}
  --size N | H W         size of the crops or of the full image, pixels: a square, or height and width
  --stride N             stride of the maps, pixels
  --codec NAME           another representation (codec) in the recipe
  --loss NAME...         losses to use instead of those of the recipe
  --backbone NAME        another backbone: {backbones}, or timm:NAME
  --metric NAME          the metric that decides which epoch is the best: {metrics}
  --distill SOURCE       distillation: okdhp (online), or the teacher: a run folder, hub id, or .json of predictions
  --visibility           top-down recipes: also learn which points are hidden (visibility 1) or seen (2)
  --init RUN            run folder, weights folder or hub id to take initial weights from, where shapes fit
  --out DIR              folder of the run (default runs/RECIPE-N)
  --resume               continue from the newest checkpoint in --out
  --overfit N            overfit N samples in about a minute, to check that the set-up can learn; keeps no files
  --device NAME          auto, cpu, cuda, mps (default auto)
"""


USAGE_OF_RECIPE = """usage: posekit train {recipe} --data.train FILE... [--data.val FILE...] [--out DIR] [options]

  --data.train FILE...   label files to train on; --data.val FILE... for validation
  --data.images DIR      folder of the images, where the label file does not lead to it
  --size N | H W         size of the network input, pixels: a square, or height and width (default: {size})
  --backbone NAME        another backbone (default: {backbone})
  --loss NAME...         other losses (default: {losses})
  --metric NAME          the metric that decides which epoch is the best
{visibility}  --out DIR, --resume    folder of the run (default runs/{recipe}-N); continue from its newest checkpoint
  --overfit N            overfit N samples in about a minute, to check that the set-up can learn; keeps no files
  --device NAME          auto, cpu, cuda, mps (default auto)
"""

VISIBILITY = """  --visibility           also learn which points are hidden (visibility 1 in the labels), which seen (2)
"""
"""The option of top-down recipes in `USAGE_OF_RECIPE`."""

MORE = """  --data.people FILE...  label files of single people to paste into full images
  --data.category NAME   whose points, where a file has several categories
  --data.skeleton NAME   a known skeleton with as many points: {skeletons}
  --stride N             stride of the maps, pixels
  --codec NAME           another representation (codec) in the recipe (default: {codec})
  --distill SOURCE       distillation: okdhp (online), or the teacher: a run folder, hub id, or .json of predictions
"""
"""The other options besides the fields of the recipe."""


def run(argv: Sequence[str]) -> int:
    """Train a model; returns the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        plain = [name for name in RECIPES if not name.endswith("-tiny")]
        print(
            USAGE.format(
                recipes=", ".join(plain),
                skeletons=", ".join(SKELETONS),
                backbones=", ".join(BACKBONES),
                metrics=", ".join(PROTOCOLS),
            )
        )
        print("Options of a recipe: posekit train RECIPE --help, or --help-all for every field")
        return 0
    if argv[0] == "mtcnn":
        from posekit.cli.train_mtcnn import run as train_mtcnn

        return train_mtcnn(argv[1:])
    if argv[0] == "temporal":
        from posekit.cli.train_temporal import run as train_temporal

        return train_temporal(argv[1:])
    asked, rest = first_pass(argv)
    if asked.overfit < 1 and any(word.partition("=")[0] == "--overfit" for word in argv):
        raise RecipeError(f"--overfit takes the number of samples to overfit, at least 1; got {asked.overfit}")
    if {"-h", "--help", "--help-all"} & set(rest):
        return _help(asked, everything="--help-all" in rest)
    return _train(asked, rest)


def _help(asked: First, everything: bool) -> int:
    """Show the options of a recipe, with the defaults for 17 points."""
    from posekit.cli.recipe_help import recipe_help

    skeleton = SKELETONS["coco17"]
    recipe = _recipe(asked, skeleton)
    height, width = recipe.size
    values = {
        "recipe": asked.recipe,
        "size": f"{height} {width}",
        "backbone": recipe.model.backbone.kind,
        "losses": " ".join(recipe.losses),
        "codec": recipe.codec.kind,
        "skeletons": ", ".join(SKELETONS),
        "visibility": "" if recipe.one_stage else VISIBILITY,
    }
    print(USAGE_OF_RECIPE.format(**values), end="" if everything else "\n")
    if everything:
        print(MORE.format(**values))
    print(recipe_help(recipe, everything))
    if not everything:
        print(f"\nEvery field of the recipe: posekit train {asked.recipe} --help-all")
    print(
        f"Defaults are those for {len(skeleton.points)} points (COCO's person); some depend on the number of points, "
        "which is read from your labels."
    )
    return 0


def _recipe(asked: First, skeleton: Skeleton) -> Recipe:
    return recipe_for(
        asked.recipe,
        skeleton,
        distill=asked.distill,
        size=asked.size or None,
        stride=asked.stride or None,
        codec=asked.codec,
        losses=asked.loss,
        backbone=asked.backbone,
        metric=asked.metric,
        visibility=asked.visibility,
    )


def _train(asked: First, rest: list[str]) -> int:
    data = asked.data
    if asked.recipe.endswith(".json") and not data.train:
        data = load(Path(asked.recipe)).data
    sets = read_sets(data)
    recipe = with_data(_recipe(asked, sets.train.skeleton), data)
    recipe = second_pass(recipe, rest, f"posekit train {asked.recipe}", "Fields of the recipe.")
    check_images(sets, data)
    if not asked.recipe.endswith(".json"):
        recipe, sentences = suited(recipe, sets, {*given(rest), *named(asked.backbone, asked.loss)})
        sets = replace(sets, said=(*sets.said, *sentences))
    if asked.overfit:
        return _overfit(recipe, sets, asked.overfit, asked.device)
    train_recipe(recipe, sets, asked.out, device=asked.device, resume=asked.resume)
    return 0


def _overfit(recipe: Recipe, sets: Sets, count: int, device: str) -> int:
    """Overfit some training samples in a temporary folder; it stays if it holds a batch with an invalid loss."""
    from posekit.training.overfit import overfit

    for sentence in sets.train.inferred:
        print(f"  {sentence}")
    folder = Path(mkdtemp(prefix="posekit-overfit-"))
    try:
        return overfit(recipe, folder, sets.train, count, device, print)
    finally:
        if not any(folder.glob("nan_batch_*")):
            shutil.rmtree(folder, ignore_errors=True)
