"""`posekit ablate RECIPE --data.train F --with aid okdhp netaug`: which techniques help on your data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markdown import Markdown

from posekit.cli.arguments import given, named, second_pass
from posekit.cli.flags import flags
from posekit.data.source import Data
from posekit.recipe import Recipe
from posekit.recipes.techniques import TECHNIQUES

USAGE = """usage: posekit ablate RECIPE --data.train FILE... --with TECHNIQUE... [options] [fields of the recipe]

Train a recipe alone, with each technique, and with all of them, with equal budgets; write a table and a chart.

  --with TECHNIQUE...    techniques to compare (below); some take an argument: teacher:RUN
  --seeds N...           seeds of the recipe alone and with all techniques (default 0)
  --technique-seeds N... seeds of the recipe with one technique (default: the first of --seeds)
  --no-single            leave out the runs with one technique
  --no-together          leave out the run with all techniques
  --jobs N               trainings in parallel (default 1)
  --out DIR              folder of the study (default runs/ablate-RECIPE); finished runs in it are kept
  --data..., --size, --stride, --codec, --loss, --backbone, --device, and every field: as in posekit train

techniques:
{techniques}
"""


@dataclass(frozen=True)
class Options:
    """The options of a study, parsed before the fields of the recipe."""

    recipe: Annotated[str, tyro.conf.Positional]
    techniques: Annotated[tuple[str, ...], tyro.conf.arg(name="with")]
    data: Data = field(default_factory=Data)
    size: tuple[str, ...] = ()
    stride: int = 0
    codec: str | None = None
    loss: tuple[str, ...] | None = None
    backbone: str | None = None
    seeds: tuple[int, ...] = (0,)
    technique_seeds: tuple[int, ...] = ()
    single: bool = True
    together: bool = True
    jobs: int = 1
    out: Path | None = None
    device: str = "cpu"


def run(argv: Sequence[str]) -> int:
    """Run a study; returns the exit status."""
    if not argv or "-h" in argv or "--help" in argv:
        wide = max(map(len, TECHNIQUES)) + 2
        techniques = (
            f"  {name:<{wide}}{technique.about} ({technique.claim})" for name, technique in TECHNIQUES.items()
        )
        print(USAGE.format(techniques="\n".join(techniques)))
        return 0
    asked, rest = tyro.cli(Options, args=list(argv), return_unknown_args=True, add_help=False, prog="posekit ablate")
    from posekit.studies import ablate

    if not asked.techniques:
        raise ValueError(f"--with names no technique, so nothing would be compared; known: {', '.join(TECHNIQUES)}")
    recipe = _recipe(asked, rest)
    out = asked.out or Path("runs") / f"ablate-{recipe.name}"
    found = ablate.variants(recipe, asked.techniques, single=asked.single, together=asked.together)
    todo = ablate.runs(found, out, asked.seeds, asked.technique_seeds or asked.seeds[:1])
    out.mkdir(parents=True, exist_ok=True)
    ablate.train_all(todo, asked.device, asked.jobs, print)
    result = ablate.report(todo, ablate.costs(found))
    files = ablate.write(result, out)
    Console().print(Markdown(ablate.table(result)))
    print(f"in {', '.join(map(str, files))}")
    return 0


def _recipe(asked: Options, rest: Sequence[str]) -> Recipe:
    """The recipe without any technique, with its data, adapted to these as `posekit train` adapts it."""
    from posekit.api.suited import suited
    from posekit.api.train import recipe_for
    from posekit.evaluation.sets import read_sets

    sets = read_sets(asked.data)
    made = recipe_for(
        asked.recipe,
        sets.train.skeleton,
        size=asked.size or None,
        stride=asked.stride or None,
        codec=asked.codec,
        losses=asked.loss,
        backbone=asked.backbone,
    )
    recipe = second_pass(
        replace(made, data=asked.data),
        rest,
        f"posekit ablate {asked.recipe}",
        "Fields of the recipe.",
        flags(Options),
    )
    if not asked.recipe.endswith(".json"):
        recipe, sentences = suited(recipe, sets, {*given(rest), *named(asked.backbone, asked.loss)})
        for sentence in sentences:
            print(sentence)
    return replace(recipe, train=replace(recipe.train, tensorboard=False))
