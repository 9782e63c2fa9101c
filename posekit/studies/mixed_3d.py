"""Few images with depths and many without in the same batches: what three representations make of it, and its cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posekit.losses.heatmaps import Volume
from posekit.recipe import Recipe
from posekit.recipes.topdown import PLAIN, topdown
from posekit.studies.codecs import thousands
from posekit.studies.deep_learner import COMPARED, TRAININGS, DeepLearner, batches, deep_recipe
from posekit.studies.deep_people import DeepPeople, deep_people
from posekit.studies.discs import train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.kept_bytes import kept_bytes, output_bytes
from posekit.studies.paired import contrast
from posekit.studies.parts import part
from posekit.studies.people import SKELETON, small_recipe
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Regression learns from mixed 2-D and 3-D labels at one cost, where volumes pay for the third axis."

FLAT = {"regression3d": "regression", "integral3d": "integral", "heatmap3d": "dark"}
"""The representation without depth that each is compared with in memory."""
DEEP, MANY, HELD = 250, 750, 128
"""Images with depths, without them, and held out."""
LEARNED = 0.9
"""Depth has been learned when its error is below this share of the error of each point's mean depth."""


@part
def measured(name: str, training: str, steps: int, sets: tuple[DeepPeople, ...], seed: int) -> dict[str, Any]:
    """Train one of `COMPARED`; the mean errors of each held-out image, in pixels and millimetres."""
    deep, flat, held = sets
    learner = DeepLearner(deep_recipe(name), seed)
    train(learner, batches(training, deep, flat), steps, seed, lr=2e-3)
    found = learner.solid(held.images)
    return {
        "xy": (found - held.points)[..., :2].norm(dim=-1).mean(-1).double().numpy().round(3),
        "depth": (found - held.points)[..., 2].abs().mean(-1).double().numpy().round(2),
    }


def mean_depth_error(deep: DeepPeople, held: DeepPeople) -> float:
    """Error in millimetres of each point's mean depth in training."""
    return float((held.points - deep.points.mean(0))[..., 2].abs().mean())


def memory(representation: str, recipe: Callable[[str], Recipe]) -> dict[str, float]:
    """Bytes of one image: of what the backward pass of a training step keeps, and of the output maps."""
    return {
        "step": kept_bytes(recipe(representation), flat=representation not in FLAT),
        "outputs": output_bytes(recipe(representation)),
    }


def published_recipe(representation: str) -> Recipe:
    """The plain recipe: ResNet-50, 256x192, maps of stride 4."""
    return topdown("memory", PLAIN, representation, SKELETON)


def run(quick: bool, seed: int) -> Results:
    """Each of `COMPARED` in three trainings of 100 (quick) or 400 steps, 1 or 2 seeds; memory of two networks."""
    steps, seeds = (100, 1) if quick else (400, 2)
    found: dict[str, Any] = {label: {training: [] for training in TRAININGS} for label in COMPARED}
    guesses = []
    for number in range(seed, seed + seeds):
        starts = ((DEEP, 3 * number), (MANY, 3 * number + 1), (HELD, 3 * number + 2))
        sets = tuple(deep_people(count, start) for count, start in starts)
        guesses.append(mean_depth_error(sets[0], sets[2]))
        for label in COMPARED:
            for training in TRAININGS:
                found[label][training].append(measured(label, training, steps, sets, number))
    sizes = {"64x64": small_recipe, "256x192": published_recipe}
    return {
        "guess": float(np.mean(guesses)),
        "runs": {label: compared(trainings) for label, trainings in found.items()},
        "memory": {
            size: {
                label: {"3-D": memory(name, recipe), "2-D": memory(FLAT[name], recipe)}
                for label, name in COMPARED.items()
            }
            for size, recipe in sizes.items()
        },
    }


def compared(trainings: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Mean errors of each training, each seed's among them, and what mixed batches gain over 3-D alone.

    Returns:
        For ``xy`` and ``depth``: ``errors`` by training, ``seeds`` by training, and ``gain`` as in `contrast`, over the
        held-out images of all seeds.
    """
    told: dict[str, Any] = {}
    for key in ("xy", "depth"):
        each = {
            training: np.concatenate([np.asarray(run[key]) for run in runs]) for training, runs in trainings.items()
        }
        images = np.arange(len(each["mixed"]))
        told[key] = {
            "errors": {training: float(values.mean()) for training, values in each.items()},
            "seeds": {training: [float(np.mean(run[key])) for run in runs] for training, runs in trainings.items()},
            "gain": contrast(each["3-D alone"], each["mixed"], images, len(images), ("alone", "mixed")),
        }
    return told


def error(results: Results, name: str, key: str, training: str) -> float:
    """Mean error of a training."""
    return float(results["runs"][name][key]["errors"][training])


def growth(results: Results, name: str, size: str, what: str) -> float:
    """Memory with depth over memory without."""
    found = results["memory"][size][name]
    return float(found["3-D"][what] / found["2-D"][what])


def in_bytes(value: float) -> str:
    """A number of bytes with its unit: 168 B, 2.75 MB."""
    text = thousands(value)
    return f"{text}B" if " " in text else f"{text} B"


def findings(results: Results) -> list[Finding]:
    """What the numbers say; depths of networks that did not learn them are not compared."""
    runs, guess = results["runs"], results["guess"]
    _, mixed, everything = TRAININGS
    learned = [n for n in runs if error(results, n, "depth", mixed) < LEARNED * guess]
    others = [name for name in learned if name != "regression"]
    big, plain = "256x192", ("regression", "integral", "volume")

    def told(value: Callable[[str], str], chosen: list[str]) -> str:
        return ", ".join(f"{name} {value(name)}" for name in chosen) or "none of the networks learned depths"

    def millimetres(name: str) -> str:
        return f"{error(results, name, 'depth', mixed):.0f} mm"

    def gain(key: str, unit: str) -> Callable[[str], str]:
        def text(name: str) -> str:
            found, digits = runs[name][key]["gain"], 1 if key == "xy" else 0
            before, after, low, high = (f"{found[part]:.{digits}f}" for part in ("alone", "mixed", "low", "high"))
            return f"{before} to {after} {unit} [{low}, {high}]"

        return text

    return [
        Finding(
            len(learned) == len(runs),
            f"With {DEEP} images with depths and {MANY} without, every representation learns depths",
            f"below {LEARNED:g} of the {guess:.0f} mm of each point's mean depth: {told(millimetres, list(runs))}",
        ),
        Finding(
            all(runs[name]["xy"]["gain"]["low"] > 0 for name in runs),
            "Mixed batches make locations in the image more accurate than 3-D alone, in every representation",
            f"with the 95 % interval of the gain: {told(gain('xy', 'px'), list(runs))}",
        ),
        Finding(
            bool(learned) and all(runs[name]["depth"]["gain"]["low"] > 0 for name in learned),
            "Mixed batches make depths more accurate as well, though half as many images with depths are seen",
            f"with the 95 % interval of the gain: {told(gain('depth', 'mm'), learned)}",
        ),
        Finding(
            bool(learned)
            and all(error(results, n, "depth", mixed) < 1.1 * error(results, n, "depth", everything) for n in learned),
            "Depths come within 10 % of those of networks that saw every image with its depths",
            told(
                lambda n: (
                    f"{error(results, n, 'depth', mixed):.0f} and {error(results, n, 'depth', everything):.0f} mm"
                ),
                learned,
            ),
        ),
        Finding(
            "volume" in learned and "unweighted volume" not in learned,
            "A volume learns no depths where the loss that tells them has only the weight of the one on its maximum; "
            f"with {Volume().weight:.0f} times that, as in its recipe, it does",
            ", ".join(millimetres(name) for name in ("unweighted volume", "volume")),
        ),
        Finding(
            "regression" in learned
            and bool(others)
            and all(error(results, "regression", "depth", mixed) <= error(results, n, "depth", mixed) for n in others),
            "Regression has the smallest error in depth",
            told(millimetres, learned),
        ),
        Finding(
            all(error(results, "regression", "xy", mixed) <= error(results, n, "xy", mixed) for n in runs),
            "Regression has the smallest error in the image",
            told(lambda n: f"{error(results, n, 'xy', mixed):.1f} px", list(runs)),
        ),
        Finding(
            all(growth(results, "regression", size, "step") < 1.01 for size in results["memory"]),
            "Depth costs regression less than 1 % more memory in a training step",
            ", ".join(
                f"{size} {100 * (growth(results, 'regression', size, 'step') - 1):.2f} %" for size in results["memory"]
            ),
        ),
        Finding(
            all(growth(results, n, big, "step") > 1.5 for n in ("integral", "volume")),
            "A volume makes a training step half as large again, and more",
            f"ResNet-50 at {big}: "
            + ", ".join(f"{n} {growth(results, n, big, 'step'):.2f} times the 2-D form" for n in plain)
            + "; outputs of an image "
            + ", ".join(f"{n} {in_bytes(results['memory'][big][n]['3-D']['outputs'])}" for n in plain),
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Errors by training, and memory."""
    rows = []
    for name, found in results["runs"].items():
        cells = [f"{found['xy']['errors'][t]:.2f} px, {found['depth']['errors'][t]:.0f} mm" for t in TRAININGS]
        for size in results["memory"]:
            both = results["memory"][size][name]
            cells.append(" / ".join(in_bytes(both[form]["step"]) for form in ("2-D", "3-D")))
        cells.append(in_bytes(results["memory"]["256x192"][name]["3-D"]["outputs"]))
        rows.append([name, *cells])
    rows.append(["mean depth", f"{results['guess']:.0f} mm", *[""] * 5])
    header = (
        *("representation", *TRAININGS),
        *(f"training step 2-D / 3-D, {size}" for size in results["memory"]),
        "outputs, 256x192",
    )
    return Table(
        f"Errors on held-out images, {DEEP} images with depths and {MANY} without; memory of one image", header, rows
    )


def plot(results: Results, file: Path) -> None:
    """Errors in the image and in depth by training, and the memory of a training step with and without depth."""
    runs = results["runs"]
    panels = [
        grouped_bars(title, {name: runs[name][key]["errors"] for name in runs}, unit)
        for key, title, unit in (("xy", "Error in the image", "pixels of 64"), ("depth", "Error in depth", "mm"))
    ]
    for size, found in results["memory"].items():
        step = {n: {form: both[form]["step"] / 1e6 for form in ("2-D", "3-D")} for n, both in found.items()}
        panels.append(grouped_bars(f"Training step of one image, {size}", step, "MB kept for the backward pass"))
    file.write_text(sheet(panels), encoding="utf-8")
