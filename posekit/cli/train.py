"""`posekit train RECIPE --data.train F`: read, say what was inferred, train, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posekit.cli.arguments import First, first_pass, nearest, second_pass
from posekit.geometry.skeleton import Skeleton
from posekit.losses.distillation import Okdhp, Teacher
from posekit.models.backbones import BACKBONES
from posekit.recipe import Data, Recipe, RecipeError, load, save
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

USAGE = """usage: posekit train RECIPE --data.train FILE... [--data.val FILE...] [options]

Train on your own labelled images (COCO JSON, YOLO data.yaml, or a pack).

recipes: {recipes}
         each also as NAME-tiny for the CPU; or a recipe.json to repeat a run
         mtcnn, a cascade that finds faces and five points, has options of its own: posekit train mtcnn --help

  --data.train FILE...   label files to learn from; several are joined
  --data.val FILE...     label files to measure on (none: every tenth image is held out)
  --data.people FILE...  label files of single people to paste into whole scenes
  --data.images DIR      folder of the images, where the label file does not lead to it
  --data.category NAME   whose points, where a file has several categories
  --data.skeleton NAME   a known skeleton with as many points: {skeletons}
  --size H W, --stride N crops in pixels, pixels a cell
  --codec NAME           another representation in the same recipe
  --loss NAME...         losses instead of the recipe's own
  --backbone NAME        another trunk: {backbones}, or timm:NAME
  --lesson SOURCE        learn beside the labels: okdhp, a run folder or hub id, or a .json of predictions
  --start RUN            begin with the weights of a run folder, weights folder or hub id, as far as they fit
  --out DIR              folder of the run (default runs/RECIPE-N)
  --resume               go on from the newest checkpoint in --out
  --overfit N            learn N samples by heart in about a minute and say whether the set-up can learn
  --device NAME          auto, cpu, cuda, mps
"""


def run(argv: Sequence[str]) -> int:
    """Train a model; returns the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        plain = [name for name in RECIPES if not name.endswith("-tiny")]
        print(USAGE.format(recipes=", ".join(plain), skeletons=", ".join(SKELETONS), backbones=", ".join(BACKBONES)))
        print("Fields of every recipe: posekit train RECIPE --help")
        return 0
    if argv[0] == "mtcnn":
        from posekit.cli.train_mtcnn import run as train_mtcnn

        return train_mtcnn(argv[1:])
    asked, rest = first_pass(argv)
    if "-h" in rest or "--help" in rest:
        return _help(asked)
    return _train(asked, rest)


def _help(asked: First) -> int:
    """Show the fields of a recipe, for a stand-in skeleton."""
    skeleton = SKELETONS["coco17"]
    recipe = _with_lesson(_recipe(asked, skeleton), asked.lesson)
    print(f"(shown for {skeleton.name}, a stand-in: your own points come from --data.train)\n")
    second_pass(recipe, ["--help"], f"posekit train {asked.recipe}", "Fields of the recipe.")
    return 0


def _recipe(asked: First, skeleton: Skeleton) -> Recipe:
    if asked.recipe.endswith(".json"):
        recipe = load(Path(asked.recipe))
        if recipe.skeleton.points != skeleton.points:
            raise RecipeError(
                f"{asked.recipe} is for points {list(recipe.skeleton.points)}, the data has {list(skeleton.points)}"
            )
        return recipe
    if asked.recipe not in RECIPES:
        raise RecipeError(nearest(asked.recipe, list(RECIPES), "recipe"))
    return RECIPES[asked.recipe](
        skeleton,
        size=asked.size,
        stride=asked.stride,
        codec=asked.codec,
        losses=asked.loss,
        backbone=asked.backbone,
    )


def _train(asked: First, rest: list[str]) -> int:
    from posekit.training.distributed import main_process, world
    from posekit.training.sets import read_sets

    data = asked.data
    if asked.recipe.endswith(".json") and not data.train:
        data = load(Path(asked.recipe)).data
    sets = read_sets(data)
    recipe = _with_data(_with_lesson(_recipe(asked, sets.train.skeleton), asked.lesson), data)
    recipe = second_pass(recipe, rest, f"posekit train {asked.recipe}", "Fields of the recipe.")
    folder = _folder(asked, recipe, world())
    say = print if main_process() else _silent
    _check_same(asked, recipe, folder)
    if main_process():
        folder.mkdir(parents=True, exist_ok=True)
        save(recipe, folder / "recipe.json")
        (folder / "inferred.txt").write_text("\n".join(sets.said) + "\n", encoding="utf-8")
    for sentence in sets.said:
        say(f"  {sentence}")
    if asked.overfit:
        from posekit.training.overfit import overfit

        return overfit(recipe, folder, sets.train, asked.overfit, asked.device, say)
    from posekit.training.run import train

    train(recipe, folder, sets, device=asked.device, resume=asked.resume, say=say)
    return 0


def _with_lesson(recipe: Recipe, source: str | None) -> Recipe:
    """The recipe with what its network learns beside the labels."""
    if source is None:
        return recipe
    return replace(recipe, lesson=Okdhp() if source == "okdhp" else Teacher(source))


def _with_data(recipe: Recipe, data: Data) -> Recipe:
    """The recipe with its data; people to paste are pasted into half of the scenes unless something else is asked for.

    Raises:
        RecipeError: there are people to paste and no scenes.
    """
    recipe = replace(recipe, data=data)
    if not data.people:
        return recipe
    if not recipe.whole:
        raise RecipeError(
            f"{recipe.name} learns from crops: --data.people are pasted into whole scenes, leave them out"
        )
    scene = recipe.augment.scene
    if scene.paste:
        return recipe
    return replace(recipe, augment=replace(recipe.augment, scene=replace(scene, paste=0.5)))


def _silent(_: str) -> None:
    """Say nothing: another process speaks."""


def _folder(asked: First, recipe: Recipe, processes: int) -> Path:
    """Where the run is written."""
    if asked.out is not None:
        if (asked.out / "recipe.json").exists() and not asked.resume and (asked.out / "metrics.csv").exists():
            raise RecipeError(f"{asked.out} holds a run already; go on with --resume, or choose another --out")
        return asked.out
    if asked.resume:
        raise RecipeError("--resume needs --out DIR: which run should go on?")
    if processes > 1:
        # Every process must write to the same place without asking the others.
        raise RecipeError("several processes need --out DIR, so that all write to one place")
    number = 1
    while (Path("runs") / f"{recipe.name}-{number}").exists():
        number += 1
    return Path("runs") / f"{recipe.name}-{number}"


def _check_same(asked: First, recipe: Recipe, folder: Path) -> None:
    """A run goes on only with the recipe it began with."""
    file = folder / "recipe.json"
    if not (asked.resume and file.exists()):
        return
    from dataclasses import fields

    before = load(file)
    changed = [f.name for f in fields(Recipe) if getattr(before, f.name) != getattr(recipe, f.name)]
    if changed:
        raise RecipeError(
            f"{folder} was begun with other values of {', '.join(changed)}; repeat the command it began with, "
            f"or: posekit train {file} --out {folder} --resume"
        )
