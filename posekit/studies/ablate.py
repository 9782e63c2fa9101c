"""Ablation study of techniques: a recipe alone, with each technique, and with all, under equal budgets.

Every variant is trained by `posekit train` in its own process, from a recipe.json;
finished runs are not repeated, so a study can be interrupted and continued.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import read_out
from posekit.models.compress.count import measure
from posekit.recipe import Recipe, RecipeError, save
from posekit.recipes.techniques import TECHNIQUES, with_techniques
from posekit.studies.timing import interleaved, ratio, summary
from posekit.training.loader import training_view
from posekit.training.task import Task
from posekit.training.wrap import wrap_task
from posekit.visualize.intervals import interval_chart
from posekit.words import plural

BASELINE, TOGETHER = "baseline", "together"
TIMED = 8
"""Images in a timed training step."""


@dataclass(frozen=True)
class Run:
    """One training: the recipe of a variant with its seed, and its folder."""

    variant: str
    recipe: Recipe
    folder: Path

    @property
    def summary(self) -> dict[str, Any] | None:
        """Summary of the finished run; ``None`` if it is not finished."""
        file = self.folder / "summary.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def variants(recipe: Recipe, words: Sequence[str], *, single: bool = True, together: bool = True) -> dict[str, Recipe]:
    """The recipe, the recipe with each technique, and with all of them.

    Args:
        recipe: without techniques.
        words: names of techniques, as in `with_techniques`.
        single: include a variant for each technique.
        together: include a variant with all techniques, if there are at least two.

    Raises:
        RecipeError: a technique is unknown, changes nothing, or does not fit the recipe or the others; one is named
            twice; or one overwrites what another sets, so that they cannot be combined.
    """
    if len(set(words)) < len(words):
        raise RecipeError(f"a technique is named twice: {' '.join(words)}")
    alone = {_label(word): with_techniques(recipe, word) for word in words}
    same = [word for word in words if alone[_label(word)] == recipe]
    if same:
        raise RecipeError(f"{', '.join(same)}: the recipe has it already, so there is nothing to compare; leave it out")
    found = {BASELINE: recipe, **(alone if single else {})}
    if together and len(words) > 1:
        found[TOGETHER] = with_techniques(recipe, *words)
        undone = [
            w for w in words if with_techniques(recipe, *(other for other in words if other != w)) == found[TOGETHER]
        ]
        if undone:
            raise RecipeError(
                f"{', '.join(undone)}: overwritten by a later technique, so they cannot be combined; "
                "leave some out, or leave out the run with all techniques (--no-together)"
            )
    return found


def _label(word: str) -> str:
    """Name of a variant; an argument after a colon may be a path."""
    name, _, argument = word.partition(":")
    return f"{name}-{Path(argument).stem}" if argument else name


def runs(found: Mapping[str, Recipe], out: Path, seeds: Sequence[int], technique_seeds: Sequence[int]) -> list[Run]:
    """All runs of a study: ``seeds`` for the first and last variant, ``technique_seeds`` for the others."""
    return [
        Run(name, replace(recipe, name=f"{recipe.name}-{name}", seed=seed), out / f"{name}-seed{seed}")
        for name, recipe in found.items()
        for seed in (seeds if name in (BASELINE, TOGETHER) else technique_seeds)
    ]


def train_all(todo: Sequence[Run], device: str, jobs: int, say: Callable[[str], None]) -> None:
    """Train the unfinished runs, several in parallel.

    Raises:
        RuntimeError: a run failed; the others are finished first, and the message has its log.
    """
    open_ = [run for run in todo if run.summary is None]
    say(f"{plural(len(todo), 'run')}, {len(todo) - len(open_)} of them finished before")

    def train(run: Run) -> str | None:
        run.folder.mkdir(parents=True, exist_ok=True)
        file, log = run.folder / "asked.json", run.folder / "log.txt"
        save(run.recipe, file)
        words = [sys.executable, "-m", "posekit", "train", str(file), "--out", str(run.folder), "--resume"]
        environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        with log.open("a", encoding="utf-8") as stream:
            made = subprocess.run(
                [*words, "--device", device], stdout=stream, stderr=stream, env=environment, check=False
            )
        summary = run.summary
        if made.returncode or summary is None:
            return f"{run.folder.name} failed, see {log}"
        say(f"{run.folder.name}: {summary['main']} {summary['figures'][summary['main']]:.4g}")
        return None

    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        failed = [said for said in pool.map(train, open_) if said]
    if failed:
        raise RuntimeError("; ".join(failed))


def costs(found: Mapping[str, Recipe], rounds: int = 10) -> dict[str, dict[str, float]]:
    """Cost of each variant in inference and training, timed interleaved on the CPU.

    Returns:
        ``parameters``, ``macs``, ``ms`` of one image, ``step_ms`` of a training step of `TIMED` images, and both
        times as ratios to the first variant's.
    """
    using, stepping = {}, {}
    table: dict[str, dict[str, float]] = {}
    for name, recipe in found.items():
        net = recipe.build(weights=False).eval()
        total = measure(net, recipe.size)["total"]
        table[name] = {"parameters": total.parameters, "macs": total.macs}
        using[name], stepping[name] = _use(net, recipe), _step(recipe)
    times = {"ms": interleaved(using, 3 * rounds), "step_ms": interleaved(stepping, rounds, warm=1)}
    first = next(iter(found))
    for what, spent in times.items():
        for name, figures in summary(spent).items():
            table[name] |= {what: figures["median_ms"], f"{what}_ratio": ratio(spent, name, first)}
    return table


def _use(net: torch.nn.Module, recipe: Recipe) -> Callable[[], Any]:
    image = torch.randint(0, 256, (1, 3, *recipe.size), dtype=torch.uint8)

    def call() -> Any:
        with torch.inference_mode():
            return read_out(net, recipe.full_codec, image)

    return call


def _step(recipe: Recipe) -> Callable[[], None]:
    """A training step on synthetic people."""
    drawn = Synthetic(recipe.skeleton, count=TIMED, size=recipe.size).dataset()
    crops = training_view(drawn, recipe)
    batch = collate([crops[recipe.train.epochs - 1, i] for i in range(TIMED)])
    task = wrap_task(Task(recipe, recipe.build(weights=False)), recipe, drawn, steps=TIMED).train()

    def call() -> None:
        task.zero_grad()
        torch.stack(list(task(batch).values())).sum().backward()

    return call


def report(todo: Sequence[Run], spent: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """All results of a study: for each variant the values of the main metric, their mean and spread, and the cost."""
    by_variant: dict[str, list[float]] = {}
    main = ""
    for run in todo:
        summary_ = run.summary
        if summary_ is None:
            raise RuntimeError(f"{run.folder} is not finished")
        main = summary_["main"]
        by_variant.setdefault(run.variant, []).append(float(summary_["figures"][main]))
    base = statistics.mean(by_variant[BASELINE])
    return {
        "metric": main,
        "images_seen": todo[0].summary["images_seen"],  # type: ignore[index]
        "variants": {
            name: {
                "values": values,
                "mean": statistics.mean(values),
                "spread": statistics.stdev(values) if len(values) > 1 else None,
                "change": statistics.mean(values) - base,
                **spent.get(name, {}),
            }
            for name, values in by_variant.items()
        },
    }


def write(result: Mapping[str, Any], out: Path) -> list[Path]:
    """Write ``ablation.json``, a table in ``ablation.md`` and a chart in ``ablation.svg``."""
    chart = interval_chart(
        f"{result['metric']} after {result['images_seen']:,} images",
        {name: row["values"] for name, row in result["variants"].items()},
        result["metric"],
    )
    texts = {
        "ablation.json": json.dumps(result, indent=1) + "\n",
        "ablation.md": table(result),
        "ablation.svg": chart + "\n",
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def table(result: Mapping[str, Any]) -> str:
    """The study as a table in Markdown."""
    heads = ("", result["metric"], "change", "parameters", "MACs", "time in use", "time of a step", "claimed")
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for name, row in result["variants"].items():
        spread = "" if row["spread"] is None or math.isnan(row["spread"]) else f" +- {row['spread']:.4f}"
        known = TECHNIQUES.get(name.partition("-")[0])
        cells = (
            name,
            f"{row['mean']:.4f}{spread}",
            "" if name == BASELINE else f"{row['change']:+.4f}",
            f"{row['parameters']:,}" if "parameters" in row else "",
            f"{row['macs'] / 1e6:.1f} M" if "macs" in row else "",
            f"x{row['ms_ratio']:.2f}" if "ms_ratio" in row else "",
            f"x{row['step_ms_ratio']:.2f}" if "step_ms_ratio" in row else "",
            "" if known is None else known.claim,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
