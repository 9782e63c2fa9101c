"""The whole comparison of trained methods: plan, trainings, measurements, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from posekit.evaluation.sets import Sets
from posekit.recipe import Recipe
from posekit.studies.compare import plan as plans
from posekit.studies.compare.budget import images_in, timed
from posekit.studies.compare.plan import FILE, Plan
from posekit.studies.compare.race import folder_of, measure_all, race
from posekit.studies.compare.runners import OnRay, Processes, Runner


def compare(
    recipes: Mapping[str, Recipe],
    sets: Sets,
    out: Path,
    *,
    minutes: float | None = None,
    images: int | None = None,
    seed: int = 0,
    init: str | None = None,
    device: str = "cpu",
    jobs: int = 1,
    ray: str | None = None,
    metric: str = "",
    pictures: bool = True,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Train all methods under one budget, measure them, and write ``compare.json``, ``.csv`` and ``.html``.

    A call with the same options goes on from what is finished in ``out``.

    Args:
        recipes: by method, of the same data, backbone and size.
        sets: their data.
        out: folder of the comparison.
        minutes: budget as a time; turned into images by a short timing.
        images: budget as the number of images that each method sees; instead of ``minutes``.
        seed: of trainings and resampling.
        init: initial weights, as in the recipes.
        device: of the trainings.
        jobs: trainings in parallel on this machine.
        ray: instead, a cluster of Ray: its address, ``auto`` or ``local``; see `OnRay`.
        metric: that ranks; empty: the usual one of the skeleton, or a finer one where that is near its limit.
        pictures: draw images of the validation set into the page.
        say: prints a line.

    Returns:
        The files written.

    Raises:
        ValueError: not one budget, a budget that is too small, or a folder of another comparison.
        RuntimeError: a training failed.
        ModuleNotFoundError: Ray is asked for and not installed.
    """
    start = time.monotonic()
    runner: Runner = Processes(jobs) if ray is None else OnRay(ray, device)
    common = {"seed": seed, "init": init, "device": device, "metric": metric}
    made = planned(recipes, sets, out, minutes, images, common, runner.jobs, say)
    for name, recipe in recipes.items():
        plans.write_recipe(plans.trained_recipe(recipe, made), folder_of(out, name))
    part = "" if made.instances == made.available else f", {made.instances:,} of {made.available:,} instances"
    say(
        f"each of {len(made.methods)} methods sees up to {made.images:,} images ({made.epochs} passes{part}); compared "
        f"after {', '.join(map(str, made.rungs))} passes, into {out}"
    )
    raced = race(made, out, sets, runner, say)
    measure_all(raced.finalists, made, out, runner, say)
    say(f"trained and measured in {(time.monotonic() - start) / 60:.1f} minutes")
    from posekit.studies.compare.report import conclude

    return conclude(made, raced, sets, out, say, pictures)


def planned(
    recipes: Mapping[str, Recipe],
    sets: Sets,
    out: Path,
    minutes: float | None,
    images: int | None,
    common: Mapping[str, Any],
    jobs: int,
    say: Callable[[str], None],
) -> Plan:
    """The plan in the folder if there is one for the same request, else a new one; see `compare`."""
    if (minutes is None) == (images is None):
        raise ValueError(f"give a budget in minutes or in images; got {minutes} minutes and {images} images")
    budget, seconds = "" if minutes is None else f"{minutes:g} minutes", {}
    methods = tuple(recipes)
    if minutes is not None and (out / FILE).exists() and plans.read(out).budget == budget:
        before = plans.read(out)
        images, seconds = before.images, dict(before.seconds)
        say(f"going on with the plan of {out / FILE}")
    elif minutes is not None:
        seconds = timed(recipes, sets, 8, common["device"], say)
        images = images_in(minutes, seconds, sets, jobs, say)
    assert images is not None
    asked = plans.plan(methods, images, len(sets.train), budget=budget, seconds=seconds, **common)
    return plans.kept(asked, out)
