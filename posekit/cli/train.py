"""`posekit train RECIPE --data.train F`: read the data, report what was inferred, train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posekit.api.suited import suited
from posekit.api.train import recipe_for, train_recipe, with_data
from posekit.cli.arguments import First, first_pass, second_pass
from posekit.geometry.skeleton import Skeleton
from posekit.models.backbones import BACKBONES
from posekit.recipe import Recipe, load
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

USAGE = """usage: posekit train RECIPE --data.train FILE... [--data.val FILE...] [options]

Train on your own labelled images (COCO JSON, YOLO data.yaml, or a pack).

recipes: {recipes}
         each also as NAME-tiny for the CPU; or a recipe.json to repeat a run
         mtcnn, a cascade for faces and their five points, has its own options: posekit train mtcnn --help

  --data.train FILE...   label files to train on; several are joined
  --data.val FILE...     label files for validation (none: every tenth image is held out)
  --data.people FILE...  label files of single people to paste into full images
  --data.images DIR      folder of the images, where the label file does not lead to it
  --data.category NAME   whose points, where a file has several categories
  --data.skeleton NAME   a known skeleton with as many points: {skeletons}
  --size H W, --stride N size of the crops and stride of the maps, pixels
  --codec NAME           another representation (codec) in the recipe
  --loss NAME...         losses to use instead of those of the recipe
  --backbone NAME        another backbone: {backbones}, or timm:NAME
  --distill SOURCE       distillation: okdhp (online), or the teacher: a run folder, hub id, or .json of predictions
  --init RUN            run folder, weights folder or hub id to take initial weights from, where shapes fit
  --out DIR              folder of the run (default runs/RECIPE-N)
  --resume               continue from the newest checkpoint in --out
  --overfit N            overfit N samples in about a minute, to check that the set-up can learn
  --device NAME          auto, cpu, cuda, mps
"""


USAGE_OF_RECIPE = """usage: posekit train {recipe} --data.train FILE... [--data.val FILE...] [--out DIR] [options]

  --data.train FILE...   label files to train on; --data.val FILE... for validation
  --size H W             height and width of the network input, pixels
  --backbone NAME        another backbone;  --loss NAME... other losses
  --out DIR, --resume    folder of the run; continue from its newest checkpoint
  --overfit N            overfit N samples in about a minute, to check that the set-up can learn
  --device NAME          auto, cpu, cuda, mps
"""


def run(argv: Sequence[str]) -> int:
    """Train a model; returns the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        plain = [name for name in RECIPES if not name.endswith("-tiny")]
        print(USAGE.format(recipes=", ".join(plain), skeletons=", ".join(SKELETONS), backbones=", ".join(BACKBONES)))
        print("Options of a recipe: posekit train RECIPE --help, or --help-all for every field")
        return 0
    if argv[0] == "mtcnn":
        from posekit.cli.train_mtcnn import run as train_mtcnn

        return train_mtcnn(argv[1:])
    asked, rest = first_pass(argv)
    if {"-h", "--help", "--help-all"} & set(rest):
        return _help(asked, everything="--help-all" in rest)
    return _train(asked, rest)


def _help(asked: First, everything: bool) -> int:
    """Show the options of a recipe, with the defaults for coco17."""
    from posekit.cli.recipe_help import recipe_help

    skeleton = SKELETONS["coco17"]
    recipe = _recipe(asked, skeleton)
    print(USAGE_OF_RECIPE.format(recipe=asked.recipe))
    print(recipe_help(recipe, everything))
    if not everything:
        print(f"\nEvery field of the recipe: posekit train {asked.recipe} --help-all")
    print(f"(defaults shown for the skeleton {skeleton.name}; your own points come from --data.train)")
    return 0


def _recipe(asked: First, skeleton: Skeleton) -> Recipe:
    return recipe_for(
        asked.recipe,
        skeleton,
        distill=asked.distill,
        size=asked.size,
        stride=asked.stride,
        codec=asked.codec,
        losses=asked.loss,
        backbone=asked.backbone,
    )


def _train(asked: First, rest: list[str]) -> int:
    from posekit.evaluation.sets import read_sets

    data = asked.data
    if asked.recipe.endswith(".json") and not data.train:
        data = load(Path(asked.recipe)).data
    sets = read_sets(data)
    recipe = with_data(_recipe(asked, sets.train.skeleton), data)
    if not asked.recipe.endswith(".json"):
        recipe, sentences = suited(recipe, sets)
        sets = replace(sets, said=(*sets.said, *sentences))
    recipe = second_pass(recipe, rest, f"posekit train {asked.recipe}", "Fields of the recipe.")
    if asked.overfit:
        from posekit.api.run_folder import run_folder
        from posekit.training.overfit import overfit

        with run_folder(recipe, sets.said, asked.out, resume=asked.resume, say=print) as (folder, say):
            return overfit(recipe, folder, sets.train, asked.overfit, asked.device, say)
    train_recipe(recipe, sets, asked.out, device=asked.device, resume=asked.resume)
    return 0
