"""Where each loss sends its gradient: on the features of the backbone, before training and after it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.geometry.grid import Grid
from posekit.studies.discs import SIDE, STRIDE, Learner, anywhere, images, methods, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.panels import map_grid, sheet
from posekit.visualize.report import Table

CLAIM = "Heatmap matching sends its gradient to the object, a fully connected layer everywhere, DSNT in between."

COMPARED = ("heatmap", "fully connected", "soft-argmax", "dsnt", "simcc")
NEAR = 2.5
"""Cells around the object that count as the right place."""
CELLS = SIDE // STRIDE
AREA = math.pi * NEAR**2 / CELLS**2
"""Share of the cells that are the right place: what a gradient spread evenly would send there."""
BATCH = 32

Float = NDArray[np.float64]


def exact_gradient() -> dict[str, float]:
    """The gradient of a decoded coordinate with respect to the map, against its closed form.

    For a softmax ``p`` with mean ``m`` over positions ``X`` it is ``p (X - m)``, which sums to 0; an arg-max has none.

    Returns:
        ``difference`` from the closed form, ``sum``, ``largest`` entry, and ``argmax``: 1 where it has a gradient.
    """
    grid = Grid.of(image=(SIDE, SIDE), stride=STRIDE)
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 1, CELLS, CELLS, generator=random, dtype=torch.float64).requires_grad_()
    read = Dsnt(points=1, grid=grid).activate({"heatmap": maps})
    (found,) = torch.autograd.grad(read["coords"][0, 0, 0], maps)
    columns = (2 * torch.arange(CELLS, dtype=torch.float64) + 1) / CELLS - 1
    expected = (read["probability"] * (columns - read["coords"][0, 0, 0])).detach()
    hard = Heatmap(points=1, grid=grid, refine="none").decode({"heatmap": maps})
    return {
        "difference": float((found - expected).abs().max()),
        "sum": float(found.sum().abs()),
        "largest": float(found.abs().max()),
        "argmax": float(hard.xy.requires_grad),
    }


def gradient_maps(learner: Learner, image: Tensor, xy: Tensor) -> Tensor:
    """(B, 16, 16) absolute gradient of the loss of each image on the features, summed over channels."""
    learner.eval()
    features = [level.detach().requires_grad_() for level in learner.net.backbone(learner.net.normalize(image))]
    # The loss is a mean over the batch, so the gradient of an image is its own, up to a factor.
    (found,) = torch.autograd.grad(learner.loss_of(learner.net.outputs(features), xy), features[:1])
    return found.abs().sum(1)


def share_near(maps: Tensor, xy: Tensor) -> float:
    """Mean share of the gradient within `NEAR` cells of the object; images without gradient are left out."""
    cells = torch.arange(CELLS) + 0.5
    at = xy / STRIDE
    squared = (cells - at[:, 1:]).square()[:, :, None] + (cells - at[:, :1]).square()[:, None, :]
    total = maps.sum((1, 2))
    near = (maps * (squared <= NEAR**2)).sum((1, 2))[total > 0] / total[total > 0]
    return float(near.mean()) if len(near) else 0.0


def _draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    xy = anywhere(generator, count)
    return images(xy, generator, clutter=2), xy


def measured(name: str, steps: int, seed: int) -> dict[str, Any]:
    """Shares before and after training, and the maps of the first image, scaled to a maximum of 1."""
    learner = Learner(methods()[name], seed)
    image, xy = _draw(torch.Generator().manual_seed(seed + 500), BATCH)
    told: dict[str, Any] = {"at": (xy[0] / SIDE).tolist()}
    for stage in ("early", "late"):
        if stage == "late":
            train(learner, _draw, steps, seed)
        maps = gradient_maps(learner, image, xy)
        first = maps[0] / maps[0].max().clamp_min(1e-30)
        told[stage] = {"share": share_near(maps, xy), "map": np.round(first.tolist(), 3).tolist()}
    told["error"] = float(learner.errors(image, xy).mean())
    return told


def run(quick: bool, seed: int) -> Results:
    """Each loss before and after 100 (quick) or 300 steps, with 1 or 2 seeds."""
    steps, seeds = (100, 1) if quick else (300, 2)
    runs = {name: [measured(name, steps, seed + i) for i in range(seeds)] for name in COMPARED}
    return {"exact": exact_gradient(), "area": AREA, "runs": runs}


def share(results: Results, name: str, stage: str) -> float:
    """Mean share over seeds."""
    return float(np.mean([run[stage]["share"] for run in results["runs"][name]]))


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    exact, area = results["exact"], results["area"]
    both = {name: (share(results, name, "early"), share(results, name, "late")) for name in results["runs"]}

    def told(name: str) -> str:
        return f"{100 * both[name][0]:.0f} % early and {100 * both[name][1]:.0f} % late"

    even = f"an even spread would send {100 * area:.0f} %"
    early = {name: pair[0] for name, pair in both.items()}
    return [
        Finding(
            exact["argmax"] == 0 and exact["difference"] < 1e-9 < exact["largest"],
            "A coordinate decoded by arg-max has no gradient; one decoded by DSNT has p (X - mean), which sums to 0",
            f"difference from the closed form {exact['difference']:.0e}, sum {exact['sum']:.0e}",
        ),
        Finding(
            min(both["heatmap"]) > 0.5,
            "Heatmap matching sends most of its gradient to the object, early and late",
            f"{told('heatmap')} within {NEAR} cells; {even}",
        ),
        Finding(
            max(both["fully connected"]) < 2 * area,
            "A fully connected layer sends it everywhere, early and late",
            told("fully connected"),
        ),
        Finding(
            both["soft-argmax"][0] < 2 * area and both["soft-argmax"][1] > 0.5,
            "The loss on a soft-argmax starts spread over the image and ends at the object",
            told("soft-argmax"),
        ),
        Finding(
            both["dsnt"][0] > both["soft-argmax"][0],
            "DSNT's regulariser sends gradient to the object from the start",
            f"{told('dsnt')}; without it {told('soft-argmax')}",
        ),
        Finding(
            max(early, key=lambda name: early[name]) == "heatmap",
            "No other loss is as well aimed as heatmap matching at the start",
            ", ".join(f"{name} {100 * value:.0f} %" for name, value in early.items()),
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Share of the gradient at the object."""
    rows = [
        [
            name,
            f"{100 * share(results, name, 'early'):.1f} %",
            f"{100 * share(results, name, 'late'):.1f} %",
            f"{np.mean([run['error'] for run in runs]):.2f}",
        ]
        for name, runs in results["runs"].items()
    ]
    rows.append(["even spread", *([f"{100 * results['area']:.1f} %"] * 2), ""])
    header = ("loss", "before training", "after training", "error at the end, px")
    return Table(f"Share of the gradient on the features within {NEAR} cells of the object", header, rows)


def plot(results: Results, file: Path) -> None:
    """Gradient maps of one image, before and after training."""
    rows = {
        name: {stage: np.asarray(runs[0][stage]["map"], dtype=np.float64) for stage in ("early", "late")}
        for name, runs in results["runs"].items()
    }
    marks = {name: (runs[0]["at"][0], runs[0]["at"][1]) for name, runs in results["runs"].items()}
    file.write_text(sheet([map_grid("Gradient on the features", rows, marks)]), encoding="utf-8")
