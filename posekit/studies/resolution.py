"""Accuracy against the size of the input and the stride of the maps, at equal images seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from posekit.models.backbones.resnet import ResNet
from posekit.models.necks.upsample import Upsample
from posekit.recipe import Train
from posekit.recipes.topdown import STRIDE, Form, topdown
from posekit.studies.crossing import crossing
from posekit.studies.discs import train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.paired import contrast
from posekit.studies.parts import part
from posekit.studies.people import PersonLearner
from posekit.studies.sized import FULL, Sized, sized_faces, sized_people
from posekit.studies.study import Results
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "SimCC, DSNT and RLE overtake heatmaps where images are small or maps coarse, with too few cells for a peak."

Float = NDArray[np.floating]

COMPARED = {"dark": "heatmap", "dsnt": "dsnt", "simcc": "simcc", "rle": "rle"}
OTHERS = ("simcc", "dsnt", "rle")
"""Representations that are said to overtake heatmaps."""
DENSE = ("heatmap", "dsnt")
"""Representations with maps, whose stride can be chosen."""
SIZES, QUICK_SIZES = (64, 96, 128, 192, 256), (64, 96, 128)
"""Height and width of the input, pixels."""
STRIDES, QUICK_STRIDES = {64: (2, 8, 16, 32)}, {64: (2, 16)}
"""Other strides than the usual 4, by size."""
BATCH = 8
"""Images in a step."""
TRAINED, HELD = 512, 128
"""Synthetic people in training and testing."""
LEARNED = 0.7
"""A network has learned when its error is below this share of the error of the mean pose."""
SURE = 0.95
"""Share of the resamples of images that must agree on a crossing."""
FINE = 0.95
"""A stride is better than another when its error is below this share of the other's."""


def form(size: int) -> Form:
    """The network that all representations share, but for neck and head."""
    return Form((size, size), ResNet(depth=18, width=0.125), Upsample(channels=32), Train())


def errors(representation: str, size: int, stride: int, sets: tuple[Sized, Sized], steps: int, seed: int) -> Float:
    """See `measured`; as an array."""
    return np.asarray(measured(representation, size, stride, sets, steps, seed))


@part
def measured(
    representation: str, size: int, stride: int, sets: tuple[Sized, Sized], steps: int, seed: int
) -> list[float]:
    """(I,) errors of a network trained at a size, in percent of the data's unit, for the held-out images."""
    known, held = sets
    recipe = topdown("study", form(size), representation, known.skeleton, stride=stride)
    learner = PersonLearner(recipe, seed)
    train(learner, known.drawing(size), steps, seed, batch=BATCH, lr=3e-3)
    found = []
    for chosen in torch.arange(len(held.images)).split(32):
        images, xy = held.at(size, chosen)
        found.append(learner.errors(images, xy) / (held.unit[chosen] * size / FULL))
    return [float(value) for value in 100 * torch.cat(found).double()]


def mean_pose(sets: tuple[Sized, Sized]) -> float:
    """Error of the mean pose of the training images, in percent of the data's unit."""
    known, held = sets
    return float(100 * ((held.xy - known.xy.mean(0)).norm(dim=-1).mean(-1) / held.unit).mean())


def data(quick: bool, seed: int) -> tuple[Sized, Sized]:
    """Training and held-out images: HELEN's in the full form where they are there, else synthetic people."""
    if not quick and (faces := sized_faces("train")) and (test := sized_faces("test")):
        return faces, test
    return sized_people(TRAINED, seed), sized_people(HELD, seed + 1000)


def run(quick: bool, seed: int) -> Results:
    """Every representation at 3 sizes (quick, 150 steps) or 5 (300 steps), and other strides at the smallest."""
    steps, sizes, strides = (150, QUICK_SIZES, QUICK_STRIDES) if quick else (300, SIZES, STRIDES)
    sets = data(quick, seed)
    guess = mean_pose(sets)
    each = {
        label: {size: errors(name, size, STRIDE, sets, steps, seed) for size in sizes}
        for name, label in COMPARED.items()
    }
    coarse = {
        label: {
            size: {stride: errors(name, size, stride, sets, steps, seed) for stride in chosen}
            for size, chosen in strides.items()
        }
        for name, label in COMPARED.items()
        if label in DENSE
    }
    return {
        "data": sets[0].name,
        "images": len(sets[1].images),
        "steps": steps,
        "guess": guess,
        **told(each, coarse, guess),
    }


def told(
    each: dict[str, dict[int, Float]], coarse: dict[str, dict[int, dict[int, Float]]], guess: float
) -> dict[str, Any]:
    """Mean errors, what the largest size gains over the smallest, and the crossings with heatmaps.

    Args:
        each: errors of the images for each representation and size, at the usual stride.
        coarse: for each representation with maps, by size and stride.
        guess: error of the mean pose.
    """
    sizes = list(each["heatmap"])
    images = np.arange(len(each["heatmap"][sizes[0]]))
    crossings = {}
    for name in OTHERS:
        both = [s for s in sizes if max(each[n][s].mean() for n in (name, "heatmap")) < LEARNED * guess]
        first, second = (np.array([each[n][s] for s in both]).reshape(len(both), -1) for n in (name, "heatmap"))
        crossings[name] = crossing(first, second, both)
    small = next(iter(coarse["heatmap"]))
    return {
        "errors": {name: {f"{size}": float(values.mean()) for size, values in by.items()} for name, by in each.items()},
        "gains": {
            name: contrast(by[sizes[0]], by[sizes[-1]], images, len(images), ("smallest", "largest"))
            for name, by in each.items()
        },
        "strides": {
            name: {
                f"{size}": {
                    f"{stride}": float(values.mean())
                    for stride, values in sorted({**by, STRIDE: each[name][size]}.items())
                }
                for size, by in found.items()
            }
            for name, found in coarse.items()
        },
        "crossings": crossings,
        "stride_crossings": {name: stride_crossing(name, small, each, coarse, guess) for name in OTHERS},
    }


def stride_crossing(
    name: str,
    size: int,
    each: dict[str, dict[int, Float]],
    coarse: dict[str, dict[int, dict[int, Float]]],
    guess: float,
) -> dict[str, Any]:
    """Where a representation crosses heatmaps along the stride of the maps; one without maps has the same error at all.

    Nothing is compared where one of the two did not learn at the usual stride.
    """
    if max(each[n][size].mean() for n in (name, "heatmap")) >= LEARNED * guess:
        return crossing(np.zeros((0, 0)), np.zeros((0, 0)), ())
    maps = {STRIDE: each["heatmap"][size], **coarse["heatmap"][size]}
    own = {STRIDE: each[name][size], **coarse[name][size]} if name in coarse else dict.fromkeys(maps, each[name][size])
    strides = sorted(maps)
    return crossing(np.array([own[s] for s in strides]), np.array([maps[s] for s in strides]), strides)


def crossing_text(found: dict[str, Any], name: str) -> str:
    """A crossing with heatmaps in words."""
    if len(found["sizes"]) < 2:
        return "too few networks learned to tell"
    low, high = found["sizes"][0], found["sizes"][-1]
    better = (name, "heatmap") if found["below"] < 0 else ("heatmap", name)
    sure = f"{100 * found['share']:.0f} % of the resamples of images agree"
    if found["changes"] == 0:
        return (
            f"no crossing within the range measured: {better[0]} has the smaller error from {low} to {high} px; {sure}"
        )
    if found["changes"] > 1:
        return f"{found['changes']} crossings from {low} to {high} px, no order; {sure}"
    at, start, end = (f"{found[key]:.0f}" if high > 99 else f"{found[key]:.1f}" for key in ("at", "low", "high"))
    return f"crossing at {at} px [{start}, {end}], {better[0]} better below and {better[1]} above; {sure}"


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    errors, guess, gains = results["errors"], results["guess"], results["gains"]
    sizes = list(errors["heatmap"])
    learned = {size: [n for n in errors if errors[n][size] < LEARNED * guess] for size in sizes}
    small = next(iter(results["strides"]["heatmap"]))
    maps = {name: by[small] for name, by in results["strides"].items()}
    ratio = {name: found["16"] / found["4"] for name, found in maps.items()}

    def named(value: Callable[[str], str], chosen: tuple[str, ...]) -> str:
        return ", ".join(f"{name} {value(name)}" for name in chosen)

    def strides(name: str) -> str:
        return " / ".join(f"{value:.1f}" for value in maps[name].values()) + " %"

    def overtakes(name: str, along: str, below: int, said: str) -> Finding:
        found = results[along][name]
        ahead = found["changes"] == 1 and found["below"] == below and found["share"] >= SURE
        return Finding(ahead, f"{name} overtakes heatmaps {said}", crossing_text(found, name))

    return [
        Finding(
            all(len(names) == len(errors) for names in learned.values()),
            f"Every network learns, in one training of {results['steps']} steps of {BATCH} images of {results['data']}",
            f"error below {LEARNED:g} of the mean pose's {guess:.1f} %: "
            + "; ".join(f"{size} px {', '.join(names) or 'none'}" for size, names in learned.items()),
        ),
        Finding(
            all(found["low"] > 0 for found in gains.values()),
            f"At equal images seen, {sizes[-1]} px are more accurate than {sizes[0]} px, in every representation",
            "error, with the 95 % interval of the gain over images: "
            + named(
                lambda n: (
                    f"{gains[n]['smallest']:.1f} to {gains[n]['largest']:.1f} % "
                    f"[{gains[n]['low']:.1f}, {gains[n]['high']:.1f}]"
                ),
                tuple(gains),
            ),
        ),
        *(overtakes(name, "crossings", -1, f"as images get smaller, with maps of stride {STRIDE}") for name in OTHERS),
        *(overtakes(name, "stride_crossings", 1, f"as maps get coarser, at {small} px") for name in OTHERS),
        Finding(
            maps["heatmap"]["2"] < FINE * maps["heatmap"]["4"],
            f"At {small} px, heatmaps of stride 2 are more accurate than those of stride 4",
            f"stride {' / '.join(maps['heatmap'])}: {strides('heatmap')}",
        ),
        Finding(
            ratio["dsnt"] < FINE * ratio["heatmap"],
            "DSNT loses less by coarse maps than heatmaps",
            f"stride 16 over stride 4 at {small} px: {named(lambda n: f'{ratio[n]:.2f}', DENSE)}",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Errors by size, then by size and stride."""
    sizes = list(results["errors"]["heatmap"])
    rows = [
        [name, f"{STRIDE}" if name in DENSE else "none", *(f"{found[size]:.2f}" for size in sizes)]
        for name, found in results["errors"].items()
    ]
    for name, by in results["strides"].items():
        others = sorted({int(stride) for found in by.values() for stride in found} - {STRIDE})
        for stride in others:
            cells = [f"{by[size][f'{stride}']:.2f}" if f"{stride}" in by.get(size, {}) else "" for size in sizes]
            rows.append([name, f"{stride}", *cells])
    rows.append(["mean pose", "none", *[f"{results['guess']:.2f}"] * len(sizes)])
    what = f"Mean error of {results['images']} images of {results['data']}, percent of the unit of the data"
    return Table(what, ("representation", "stride of the maps", *(f"{size} px" for size in sizes)), rows)


def plot(results: Results, file: Path) -> None:
    """Errors against size, and against stride."""
    curves = {n: [(float(size), e) for size, e in found.items()] for n, found in results["errors"].items()}
    title = f"{results['data']}, maps of stride {STRIDE}"
    panels = [line_chart(title, curves, x_label="size of the input, pixels", y_label="mean error, %")]
    by_stride = {
        f"{name}, {size} px": [(float(np.log2(int(stride))), e) for stride, e in found.items()]
        for name, by in results["strides"].items()
        for size, found in by.items()
    }
    small = next(iter(results["strides"]["heatmap"]))
    ends = [float(np.log2(int(stride))) for stride in results["strides"]["heatmap"][small]]
    by_stride |= {
        f"{name}, {small} px": [(x, found[small]) for x in ends]
        for name, found in results["errors"].items()
        if name not in DENSE
    }
    label = "stride of the maps: 1 is 2 pixels, 2 is 4, ... 5 is 32"
    panels.append(line_chart("Maps of other strides", by_stride, x_label=label, y_label="mean error, %"))
    file.write_text(sheet(panels), encoding="utf-8")
