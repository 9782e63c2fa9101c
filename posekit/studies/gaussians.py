"""Why a soft label: the width of the Gaussian against noise in maps and in labels, and the forms of the peak."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posekit.codecs.base import Codec
from posekit.codecs.ellipse import Ellipse
from posekit.codecs.heatmap import Heatmap
from posekit.geometry.grid import Grid
from posekit.models.heads.maps import Maps
from posekit.studies.discs import SIDE, STRIDE, Learner, Method, anywhere, images, labels, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "A Gaussian label is better than a single cell: it tells more cells where the point is and forgives its labels."

WIDTHS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Sigma of the peaks, cells."""
TRAINED = ("single cell", "1", "1.5", "2", "3")
"""Those that networks are trained on."""
NOISE = (0.05, 0.1, 0.2, 0.3)
"""Standard deviation of the noise on maps whose peak is 1."""
LABELS = (0.0, 2.0, 4.0)
"""Standard deviation of the labels along each axis in training, image pixels."""
ONE_HOT = 0.1
"""Sigma in cells of what stands for a single cell: its neighbours are below 1e-17."""


def noisy_peak(sigma: float, label: float) -> dict[str, float]:
    """The mean of Gaussian labels that scatter around the point: what a squared error makes of them, in closed form.

    Args:
        sigma: of each label's peak, cells.
        label: standard deviation of the labels along each axis, cells.

    Returns:
        ``sigma`` and ``height`` of the mean map; its maximum stays at the point.
    """
    total = sigma**2 + label**2
    return {"sigma": math.sqrt(total), "height": sigma**2 / total}


def forms() -> dict[str, Codec]:
    """Peaks of different forms on the maps of stride 4, decoded in the same way where the form allows."""
    grid = Grid.of(image=(SIDE, SIDE), stride=STRIDE)
    wide = 1.5 * STRIDE
    return {
        "single cell": Heatmap(points=1, grid=grid, sigma=ONE_HOT * STRIDE, target="quantised", refine="none"),
        "quantised": Heatmap(points=1, grid=grid, sigma=wide, target="quantised", refine="quarter"),
        "unbiased": Heatmap(points=1, grid=grid, sigma=wide),
        "ellipse": Ellipse(
            points=1, grid=grid, parents=(-1,), sigmas=(0.05,), shape="box", share=wide / 8.0, blur=5.0 * wide
        ),
    }


def decoded_errors(codec: Codec, noise: float, count: int, seed: int) -> float:
    """Mean error in image pixels of points decoded from perfect maps with noise on every cell."""
    generator = torch.Generator().manual_seed(seed)
    xy = anywhere(generator, count, 0.25, 0.75)
    maps = codec.perfect(codec.encode(labels(xy)))["heatmap"]
    found = codec.decode({"heatmap": maps + noise * torch.randn(maps.shape, generator=generator)}).xy[:, 0, 0]
    return float((found - xy).norm(dim=-1).mean())


def of_width(sigma: float) -> Heatmap:
    """Unbiased heatmaps with a peak of ``sigma`` cells, decoded by DARK."""
    grid = Grid.of(image=(SIDE, SIDE), stride=STRIDE)
    return Heatmap(points=1, grid=grid, sigma=sigma * STRIDE)


def trained_error(codec: Codec, label: float, steps: int, seed: int) -> dict[str, float]:
    """Train with noisy labels, test with exact ones: mean error in image pixels, and the mean height of the peaks."""
    learner = Learner(Method(codec, ("mse",), Maps()), seed)

    def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        xy = anywhere(generator, count)
        image = images(xy, generator, clutter=2)
        return image, (xy + label * torch.randn(xy.shape, generator=generator)).clamp(1.0, SIDE - 1.0)

    train(learner, draw, steps, seed)
    generator = torch.Generator().manual_seed(seed + 700)
    xy = anywhere(generator, 128)
    image = images(xy, generator, clutter=2)
    error = float(learner.errors(image, xy).mean())
    learner.eval()
    with torch.no_grad():
        height = float(learner.net(image)["heatmap"].amax((-2, -1)).mean())
    return {"error": error, "height": height}


def run(quick: bool, seed: int) -> Results:
    """Decoding of noisy maps; training with 3 label noises: 120 (quick) or 200 steps, 1 or 2 seeds."""
    steps, seeds, count = (120, 1, 512) if quick else (200, 2, 4096)
    widths = {"single cell": forms()["single cell"], **{f"{w:g}": of_width(w) for w in WIDTHS}}
    return {
        "mean_label": {f"{s:g}/{t:g}": noisy_peak(s, t) for s in (0.5, 1.5, 2.0) for t in (0.5, 1.0)},
        "forms": {
            name: {str(n): decoded_errors(codec, n, count, seed) for n in (0.0, *NOISE)}
            for name, codec in forms().items()
        },
        "widths": {
            name: {str(n): decoded_errors(codec, n, count, seed) for n in (0.0, *NOISE)}
            for name, codec in widths.items()
        },
        "trained": {
            name: {
                str(label): [trained_error(widths[name], label, steps, seed + i) for i in range(seeds)]
                for label in LABELS
            }
            for name in TRAINED
        },
    }


def trained(results: Results, name: str, label: float, key: str = "error") -> float:
    """Mean over seeds."""
    return float(np.mean([run[key] for run in results["trained"][name][str(label)]]))


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    clean, noisy, noisiest = (str(n) for n in (0.0, NOISE[1], LABELS[-1]))
    errors = {name: trained(results, name, 0.0) for name in results["trained"]}
    peaks = [name for name in errors if name != "single cell"]
    best = min(peaks, key=lambda name: errors[name])
    hard = {name: trained(results, name, float(noisiest)) for name in results["trained"]}
    best_hard = min(peaks, key=lambda name: hard[name])
    single, forms_found = errors["single cell"], results["forms"]
    widths = results["widths"]
    wide = min(widths, key=lambda name: widths[name][noisy])
    return [
        Finding(
            single > 1.5 * errors[best],
            "Trained on single cells, the network is worse than on Gaussian peaks",
            f"{single:.2f} px against {errors[best]:.2f} px with sigma {best}; peaks "
            f"{trained(results, 'single cell', 0.0, 'height'):.2f} and {trained(results, best, 0.0, 'height'):.2f} "
            "high",
        ),
        Finding(
            single > 1.3 * forms_found["single cell"][clean],
            "Single cells are hard to learn, beyond what their decoding loses anyway",
            f"{single:.2f} px trained, {forms_found['single cell'][clean]:.2f} px decoded from perfect maps",
        ),
        Finding(
            hard["single cell"] - single > 2 * (hard[best] - errors[best]),
            "Noise in the labels costs single cells more than Gaussian peaks",
            f"labels scattered by {noisiest} px: single cell {single:.2f} to {hard['single cell']:.2f} px, "
            f"sigma {best} {errors[best]:.2f} to {hard[best]:.2f} px",
        ),
        Finding(
            float(best_hard) > float(best),
            "The noisier the labels, the wider the best peak",
            f"best sigma {best} with exact labels, {best_hard} with labels scattered by {noisiest} px",
        ),
        Finding(
            wide not in ("single cell", "0.5"),
            "Of maps with noise on every cell, wide peaks are decoded better than narrow ones",
            f"noise {noisy}: best with sigma {wide}, "
            + ", ".join(f"{name} {widths[name][noisy]:.2f} px" for name in widths),
        ),
        Finding(
            forms_found["unbiased"][clean] < 0.1 < forms_found["quantised"][clean],
            "Rounding the centre of the peak to a cell loses what lies between cells, an unbiased peak keeps it",
            f"{forms_found['quantised'][clean]:.2f} and {forms_found['unbiased'][clean]:.3f} px without noise",
        ),
        Finding(
            forms_found["ellipse"][noisy] < 0.9 * forms_found["unbiased"][noisy],
            "A peak whose width follows the box is decoded better than one of fixed width",
            f"{forms_found['ellipse'][noisy]:.2f} and {forms_found['unbiased'][noisy]:.2f} px with noise {noisy}, for "
            "objects of one size",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Errors of trained networks by width of the peak, and of decoding alone."""
    rows = []
    for name, found in results["widths"].items():
        learned = [f"{trained(results, name, label):.2f}" if name in results["trained"] else "" for label in LABELS]
        rows.append([name, *learned, *(f"{found[str(n)]:.2f}" for n in NOISE)])
    header = (
        "sigma, cells",
        *(f"trained, labels {label:g} px" for label in LABELS),
        *(f"decoded, noise {n:g}" for n in NOISE),
    )
    return Table("Mean error in pixels, maps of stride 4", header, rows)


def plot(results: Results, file: Path) -> None:
    """Errors of trained networks by width, and of decoding noisy maps."""
    groups: dict[str, dict[str, Any]] = {
        name if name == "single cell" else f"sigma {name} cells": {
            f"labels {label:g} px": trained(results, name, label) for label in LABELS
        }
        for name in results["trained"]
    }
    curves = {
        name if name == "single cell" else f"sigma {name}": [(float(n), error) for n, error in found.items()]
        for name, found in results["widths"].items()
    }
    panels = [
        grouped_bars("Trained with noisy labels", groups, "mean error, pixels"),
        line_chart("Decoding noisy maps", curves, x_label="noise, share of the peak", y_label="mean error, pixels"),
    ]
    file.write_text(sheet(panels), encoding="utf-8")
