"""Which representations survive 8 bits: small networks, their layers rounded after training, as an int8 runtime does.

Ranges come from training images, as in `posekit export --int8`; decoding stays in floats. Biases are not corrected, and
no layer is spared, so that the representation alone decides. Trained networks on real data are measured by
`python -m benchmarks.int8 RUN...`; their figures are told where the checkout has them.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posekit.models.compress.quantise import FakeQuant, Rounding
from posekit.studies.discs import train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.parts import part
from posekit.studies.people import PersonLearner, drawing, people, small_recipe
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Heatmaps survive INT8, and regression does not, since the step of its output is a step of the point."

COMPARED = {"dark": "heatmap, DARK", "simcc": "SimCC", "dsnt": "DSNT", "regression": "regression", "rle": "RLE"}
BITS = (8, 5)
TRAINED, HELD, RANGES = 512, 256, 128
"""Images in training, in testing, and to find the ranges with."""
CLOSE = 2.0
"""Pixels within which a point counts as found, a thirtieth of the image."""
LOST = 0.005
"""Share of the points that may be lost."""
REAL = Path(__file__).parents[2] / "benchmarks" / "results" / "int8.json"
"""Trained networks on LSP, exported to OpenVINO, in checkouts."""


def rounded(net: nn.Module, images: Tensor, bits: int, keep: tuple[str, ...] = ()) -> nn.Module:
    """A copy of a network whose layers round their inputs and weights.

    Args:
        net: in evaluation mode.
        images: (B, 3, H, W) to find the ranges of the inputs with: the mean over batches of the lowest and highest.
        bits: of weights and inputs.
        keep: parts that are not rounded.
    """
    made = FakeQuant(bits=bits, follow=0.1, keep=keep).apply(copy.deepcopy(net).eval())
    layers = [layer for layer in made.modules() if isinstance(layer, Rounding)]
    for layer in layers:
        layer.train()
        layer.rounds = False
    with torch.no_grad():
        for batch in images.split(16):
            made(batch)
    return made.eval()


@part
def measured(representation: str, steps: int, seed: int) -> dict[str, Any]:
    """Train one representation on synthetic people, and measure it in floats and in fewer and fewer bits."""
    images, xy = people(TRAINED, seed)
    learner = PersonLearner(small_recipe(representation), seed)
    train(learner, drawing(images, xy), steps, seed, lr=2e-3)
    learner.eval()
    held, truth = people(HELD, seed + 1000)
    net, before = learner.net, learner.found(held)
    told = {"float": _told(before, before, truth)}
    for name, bits, keep in [*((str(bits), bits, ()) for bits in BITS), ("8, head in floats", 8, ("head",))]:
        learner.net = rounded(net, images[:RANGES], bits, keep)  # type: ignore[assignment]
        told[name] = _told(before, learner.found(held), truth)
    return told


def _told(before: Tensor, after: Tensor, truth: Tensor) -> dict[str, float]:
    """Points found, mean error, and how far points moved, in pixels."""
    error = (after - truth).norm(dim=-1)
    return {
        "found": float((error <= CLOSE).float().mean()),
        "error": float(error.mean()),
        "moved": float((after - before).norm(dim=-1).mean()),
    }


def on_real_data() -> dict[str, dict[str, float]]:
    """PCK@0.05 of trained networks in floats and in 8 bits, by representation; empty where there are none."""
    if not REAL.is_file():
        return {}
    methods = json.loads(REAL.read_text(encoding="utf-8"))["methods"]
    found = {}
    for name, figures in methods.items():
        short = name.removeprefix("topdown-").removesuffix("-tiny")
        found[COMPARED.get(short, short)] = {kind: figures[kind]["pck@0.05"] for kind in ("fp32", "int8")}
    return found


def run(quick: bool, seed: int) -> Results:
    """Five representations, trained for 100 (quick) or 400 steps on 512 synthetic people, with 1 or 2 seeds."""
    steps, seeds = (100, 1) if quick else (400, 2)
    runs = {label: [measured(name, steps, seed + i) for i in range(seeds)] for name, label in COMPARED.items()}
    return {"runs": runs, "trained": on_real_data()}


def mean(results: Results, name: str, form: str, figure: str) -> float:
    """Mean of a figure over seeds."""
    return float(np.mean([one[form][figure] for one in results["runs"][name]]))


def lost(results: Results, name: str, form: str = "8") -> float:
    """Share of all points that is found in floats and no longer in fewer bits; negative where more are found."""
    return mean(results, name, "float", "found") - mean(results, name, form, "found")


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    heatmap, others = "heatmap, DARK", ("regression", "RLE")

    def figures(name: str, form: str = "8") -> str:
        before, after = mean(results, name, "float", "found"), mean(results, name, form, "found")
        return f"{name} {100 * before:.1f} % to {100 * after:.1f} % within {CLOSE:.0f} px"

    moved = {name: mean(results, name, "8", "moved") for name in COMPARED.values()}
    spared = {name: mean(results, name, "8, head in floats", "moved") for name in COMPARED.values()}
    fewer = str(BITS[-1])
    told = [
        Finding(
            lost(results, name) <= LOST,
            f"In 8 bits {name} loses at most {100 * LOST:.1f} of 100 points",
            figures(name),
        )
        for name in COMPARED.values()
    ]
    told += [
        Finding(
            max(moved[name] for name in others) > max(value for name, value in moved.items() if name not in others),
            "Points of regression or RLE move furthest in 8 bits",
            ", ".join(f"{name} {value:.2f} px" for name, value in moved.items()),
        ),
        Finding(
            all(lost(results, heatmap, fewer) < lost(results, name, fewer) for name in others),
            f"In {fewer} bits the heatmap loses less than regression and RLE",
            "; ".join(figures(name, fewer) for name in (heatmap, *others)),
        ),
        *(
            Finding(
                spared[name] < moved[name] / 2,
                f"Points of {name} move less than half as far when its head stays in floats",
                f"{moved[name]:.2f} and {spared[name]:.2f} px",
            )
            for name in ("SimCC", "regression")
        ),
    ]
    real = {name: row["fp32"] - row["int8"] for name, row in results["trained"].items()}
    if {heatmap, "regression"} <= set(real):
        told.append(
            Finding(
                real[heatmap] < real["regression"],
                "Trained on LSP and run by OpenVINO, the heatmap loses less of PCK@0.05 than regression",
                ", ".join(f"{name} {100 * value:.2f} points" for name, value in real.items()),
            )
        )
    return told


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def forms(results: Results) -> list[str]:
    """Names of the measured forms, floats first."""
    return list(next(iter(results["runs"].values()))[0])


def table(results: Results) -> Table:
    """Points found and how far they move, and PCK@0.05 of trained networks."""
    rows = []
    for name in results["runs"]:
        cells = [
            f"{100 * mean(results, name, form, 'found'):.1f} ({mean(results, name, form, 'moved'):.2f})"
            for form in forms(results)
        ]
        real = results["trained"].get(name)
        rows.append([name, *cells, f"{real['fp32']:.3f} to {real['int8']:.3f}" if real else ""])
    header = ("representation", *(f"{form} bits" if form.isdigit() else form for form in forms(results)), "LSP, 8 bits")
    title = f"Points within {CLOSE:.0f} px, per cent (mean move, px); PCK@0.05 of trained networks on LSP"
    return Table(title, header, rows)


def plot(results: Results, file: Path) -> None:
    """Points lost and pixels moved, by representation and bits."""
    shown = [form for form in forms(results) if form != "float"]
    lose = {name: {form: 100 * max(lost(results, name, form), 0.0) for form in shown} for name in results["runs"]}
    move = {name: {form: mean(results, name, form, "moved") for form in shown} for name in results["runs"]}
    panels = [
        grouped_bars("Points lost", lose, f"per cent within {CLOSE:.0f} px"),
        grouped_bars("Move of a point", move, "pixels"),
    ]
    file.write_text(sheet(panels), encoding="utf-8")
