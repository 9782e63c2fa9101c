"""A disc in one part of the images in training and everywhere in testing: which representations find it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posekit.codecs.dsnt import Dsnt
from posekit.geometry.grid import Grid
from posekit.studies.discs import SIDE, Learner, images, methods, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.parts import part
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "A fully connected layer cannot find an object where it was never trained to; shared weights can."

QUADRANTS = {"upper left": (0.0, 0.0), "upper right": (0.5, 0.0), "lower left": (0.0, 0.5), "lower right": (0.5, 0.5)}
"""Upper left corner of each quadrant in shares of the image; only the first is trained."""
MARGIN = 0.1
"""Distance of centres from the border of the image and the middle lines, in shares of the image."""
SHIFT = 0.5
"""Largest shift of translation augmentation, in shares of the image."""
FLAT, CONVOLUTIONAL = ("fully connected", "rle", "simcc"), ("heatmap", "soft-argmax", "dsnt", "grid")
CLOSE, FAR = 2.0, 8.0
"""Errors in pixels below which a disc is found, and above which it is lost."""


def exact_model() -> dict[str, list[float]]:
    """The smallest case: a one-hot image of 8 cells, trained on the first 4, where gradient descent can be solved.

    A linear layer from zero ends at the solution of least norm, whose weights are 0 for cells that were never lit, so
    every other cell gets the bias. A convolution of one weight (10), a softmax and its mean are the same everywhere.

    Returns:
        ``truth``, ``linear`` and ``shared`` over the 8 cells, in -1..1, and the ``weights`` and the ``bias``.
    """
    n = 8
    cells = torch.eye(n, dtype=torch.float64)
    truth = (2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1
    inputs = torch.cat((cells, torch.ones(n, 1, dtype=torch.float64)), 1)
    solution = torch.linalg.pinv(inputs[: n // 2]) @ truth[: n // 2]
    codec = Dsnt(points=1, grid=Grid(height=1, width=n, image_height=1, image_width=n))
    shared = codec.activate({"heatmap": 10.0 * cells[:, None, None]})["coords"][:, 0, 0]
    return {
        "truth": truth.tolist(),
        "linear": (inputs @ solution).tolist(),
        "shared": shared.tolist(),
        "weights": solution[:-1].tolist(),
        "bias": [float(solution[-1])],
    }


def centres(generator: torch.Generator, count: int, quadrant: str) -> Tensor:
    """(count, 2) centres within a quadrant, image pixels."""
    corner = torch.tensor(QUADRANTS[quadrant])
    return (corner + MARGIN + (0.5 - 2 * MARGIN) * torch.rand(count, 2, generator=generator)) * SIDE


def draw_upper_left(shift: float) -> Any:
    """Training images: centres in the upper left quadrant, shifted by up to ``shift`` where the disc stays inside."""

    def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        xy = centres(generator, count, "upper left")
        moved = xy + (2 * torch.rand(count, 2, generator=generator) - 1) * shift * SIDE
        xy = torch.where(((moved > MARGIN * SIDE) & (moved < (1 - MARGIN) * SIDE)).all(-1, keepdim=True), moved, xy)
        return images(xy, generator), xy

    return draw


@part
def measured(name: str, shift: float, steps: int, seed: int) -> dict[str, float]:
    """Train one representation; mean error in pixels for each quadrant."""
    learner = Learner(methods()[name], seed)
    train(learner, draw_upper_left(shift), steps, seed)
    errors = {}
    for number, quadrant in enumerate(QUADRANTS):
        generator = torch.Generator().manual_seed(1000 + 10 * seed + number)
        xy = centres(generator, 128, quadrant)
        errors[quadrant] = float(learner.errors(images(xy, generator), xy).mean())
    return errors


def run(quick: bool, seed: int) -> Results:
    """The exact model; every representation with and without shifts, 100 (quick) or 200 steps, 1 or 3 seeds."""
    steps, seeds = (100, 1) if quick else (200, 3)
    names = [name for name in methods() if name != "focal"]
    return {
        "exact": exact_model(),
        "errors": {
            training: {name: [measured(name, shift, steps, seed + i) for i in range(seeds)] for name in names}
            for training, shift in (("as it is", 0.0), ("shifted", SHIFT))
        },
    }


def seen_and_unseen(results: Results, training: str, name: str) -> tuple[float, float]:
    """Mean error in the trained quadrant, and in the three others."""
    runs = results["errors"][training][name]
    first = next(iter(QUADRANTS))
    seen = float(np.mean([run[first] for run in runs]))
    return seen, float(np.mean([run[q] for run in runs for q in QUADRANTS if q != first]))


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    exact = results["exact"]
    beyond = slice(len(exact["truth"]) // 2, None)
    off = max(abs(a - b) for a, b in zip(exact["shared"], exact["truth"], strict=True))
    lost = max(abs(a - b) for a, b in zip(exact["linear"][beyond], exact["truth"][beyond], strict=True))
    plain = {name: seen_and_unseen(results, "as it is", name) for name in results["errors"]["as it is"]}
    mended = {name: seen_and_unseen(results, "shifted", name)[1] for name in FLAT}

    def told(names: tuple[str, ...]) -> str:
        return ", ".join(f"{name} {plain[name][0]:.1f} and {plain[name][1]:.1f} px" for name in names)

    return [
        Finding(
            lost > 0.5 and off < 1e-3,
            "In the exact model the linear layer gives every unseen cell the same answer, and shared weights are right "
            "everywhere",
            f"largest error {lost:.3f} against {off:.1e}, in units of half the image",
        ),
        Finding(
            all(plain[name][1] > FAR for name in FLAT),
            "With a layer over all cells the disc is lost outside the trained quadrant",
            f"error in the trained and in the other quadrants: {told(FLAT)}",
        ),
        Finding(
            all(plain[name][1] < CLOSE for name in CONVOLUTIONAL),
            "Convolutional representations find it in every quadrant",
            f"likewise: {told(CONVOLUTIONAL)}",
        ),
        Finding(
            plain["pooled"][0] < CLOSE,
            "Global average pooling keeps the location of the disc",
            f"likewise: {told(('pooled',))}",
        ),
        Finding(
            all(mended[name] < 0.5 * plain[name][1] for name in FLAT),
            "Translation augmentation mends most of it",
            "error in the other quadrants with shifts of up to half the image: "
            + ", ".join(f"{name} {plain[name][1]:.1f} to {mended[name]:.1f} px" for name in FLAT),
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Error of each representation, by quadrant and training."""
    rows = []
    for name in results["errors"]["as it is"]:
        pairs = [seen_and_unseen(results, training, name) for training in ("as it is", "shifted")]
        rows.append([name, *(f"{value:.2f}" for pair in pairs for value in pair)])
    header = ("representation", "trained quadrant", "other quadrants", "trained, with shifts", "others, with shifts")
    return Table("Mean error in pixels, images of 64x64", header, rows)


def plot(results: Results, file: Path) -> None:
    """Errors in the trained and the other quadrants, without and with translation augmentation."""
    panels = []
    for training, title in (("as it is", "Trained on the upper left quadrant"), ("shifted", "With random shifts")):
        groups = {
            name: dict(
                zip(("trained quadrant", "other quadrants"), seen_and_unseen(results, training, name), strict=True)
            )
            for name in results["errors"][training]
        }
        panels.append(grouped_bars(title, groups, "mean error, pixels"))
    file.write_text(sheet(panels), encoding="utf-8")
