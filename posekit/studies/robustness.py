"""Networks on damaged images, and on images without any person: errors, and how human-like the answers are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from posekit.studies.discs import SIDE, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.people import SKELETON, PersonLearner, drawing, people, small_recipe
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Heatmaps are more robust than regression, and regression's answers stay human-like where heatmaps scatter."

COMPARED = {"dark": "heatmap", "regression": "regression", "rle": "rle"}
TRAINED = 512
HELD = 128
"""Images in training and testing."""
CLOSE = 5.0
"""Pixels within which a point counts as found."""
RANGE = (0.025, 0.975)
"""Quantiles of the relative length of a bone in training between which a length is plausible."""


def occluded(images: Tensor, generator: torch.Generator) -> Tensor:
    """A grey square of 20 pixels somewhere in each image."""
    damaged = images.clone()
    corners = torch.randint(0, SIDE - 20, (len(images), 2), generator=generator)
    for image, (x, y) in zip(damaged, corners.tolist(), strict=True):
        image[:, y : y + 20, x : x + 20] = 128.0
    return damaged


def blurred(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian blur with sigma 2 pixels."""
    taps = torch.exp(-0.5 * (torch.arange(-6, 7) / 2.0) ** 2)
    kernel = (taps[:, None] * taps / taps.sum() ** 2).expand(3, 1, 13, 13)
    return F.conv2d(F.pad(images, (6, 6, 6, 6), mode="replicate"), kernel, groups=3)


def noisy(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of standard deviation 40 on every pixel."""
    return (images + 40.0 * torch.randn(images.shape, generator=generator)).clamp(0.0, 255.0)


def truncated(images: Tensor, generator: torch.Generator) -> Tensor:
    """The lower 40 % of each image in black."""
    damaged = images.clone()
    damaged[:, :, round(0.6 * SIDE) :] = 0.0
    return damaged


DAMAGE: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": lambda images, generator: images,
    "occlusion": occluded,
    "blur": blurred,
    "noise": noisy,
    "truncation": truncated,
}


def empty(kind: str, count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, 64, 64) images without a person: ``noise`` of every pixel, or smooth coloured ``backgrounds``."""
    if kind == "noise":
        return 255.0 * torch.rand(count, 3, SIDE, SIDE, generator=generator)
    coarse = 255.0 * torch.rand(count, 3, 4, 4, generator=generator)
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def bone_lengths(xy: Tensor) -> Tensor:
    """(B, bones) lengths relative to the mean bone of each pose; xy is (B, K, 2)."""
    ends = torch.tensor(SKELETON.edges)
    lengths = (xy[:, ends[:, 0]] - xy[:, ends[:, 1]]).norm(dim=-1)
    relative: Tensor = lengths / lengths.mean(-1, keepdim=True).clamp_min(1e-6)
    return relative


def plausibility(xy: Tensor, known: Tensor) -> float:
    """Share of the bones whose relative length lies within the usual range of known poses; both are (B, K, 2)."""
    usual = torch.quantile(bone_lengths(known), torch.tensor(RANGE), dim=0)
    found = bone_lengths(xy)
    return float(((found >= usual[0]) & (found <= usual[1])).float().mean())


def measured(representation: str, steps: int, seed: int) -> dict[str, Any]:
    """Train one representation on synthetic people and measure it on damaged and on empty images."""
    images, xy = people(TRAINED, seed)
    learner = PersonLearner(small_recipe(representation), seed)
    train(learner, drawing(images, xy), steps, seed, lr=2e-3)
    held, truth = people(HELD, seed + 1000)
    generator = torch.Generator().manual_seed(seed)
    told: dict[str, Any] = {"damaged": {}, "empty": {}}
    for kind, damage in DAMAGE.items():
        found = learner.found(damage(held, generator))
        distance = (found - truth).norm(dim=-1)
        told["damaged"][kind] = {
            "error": float(distance.mean()),
            "found": float((distance <= CLOSE).float().mean()),
            "plausible": plausibility(found, xy),
        }
    for kind in ("noise", "backgrounds"):
        found = learner.found(empty(kind, HELD, generator))
        told["empty"][kind] = {"plausible": plausibility(found, xy), "spread": float(found.std(0).mean())}
    return told


def run(quick: bool, seed: int) -> Results:
    """Three representations, trained for 100 (quick) or 200 steps on 512 synthetic people, with 1 or 2 seeds."""
    steps, seeds = (100, 1) if quick else (200, 2)
    return {
        "runs": {
            label: [measured(name, steps, seed + number) for number in range(seeds)] for name, label in COMPARED.items()
        }
    }


def mean(results: Results, name: str, *path: str) -> float:
    """Mean of a figure over seeds."""
    values = []
    for found in results["runs"][name]:
        for key in path:
            found = found[key]
        values.append(found)
    return float(np.mean(values))


def kept(results: Results, name: str, damage: str) -> float:
    """Points found in damaged images over those found in undamaged ones."""
    whole = mean(results, name, "damaged", "none", "found")
    return mean(results, name, "damaged", damage, "found") / whole if whole else 0.0


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""

    def told(value: Callable[[str], float]) -> str:
        return ", ".join(f"{name} {100 * value(name):.0f} %" for name in results["runs"])

    def share(*path: str) -> Callable[[str], float]:
        return lambda name: mean(results, name, *path)

    others = [name for name in results["runs"] if name != "heatmap"]
    found = [
        Finding(
            all(kept(results, "heatmap", kind) > kept(results, name, kind) for name in others),
            f"With {kind}, heatmaps keep a larger share of the points that they find in undamaged images",
            told(lambda name, kind=kind: kept(results, name, kind)),  # type: ignore[misc]
        )
        for kind in DAMAGE
        if kind != "none"
    ]
    plausible = [
        Finding(
            all(share("empty", kind, "plausible")(n) > share("empty", kind, "plausible")("heatmap") for n in others),
            f"{said}, the bones that regression predicts have more often a human-like length than those of heatmaps",
            told(share("empty", kind, "plausible")),
        )
        for kind, said in (("noise", "On images of noise"), ("backgrounds", "On backgrounds without a person"))
    ]
    return [
        Finding(
            all(share("damaged", "none", "found")("heatmap") > share("damaged", "none", "found")(n) for n in others),
            f"On undamaged images, heatmaps find more points within {CLOSE:.0f} px",
            told(share("damaged", "none", "found")),
        ),
        *found,
        *plausible,
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Points found, errors and plausible bones."""
    rows = []
    for kind in DAMAGE:
        cells = [
            f"{100 * mean(results, name, 'damaged', kind, 'found'):.0f} % "
            f"({mean(results, name, 'damaged', kind, 'error'):.1f} px, "
            f"{100 * mean(results, name, 'damaged', kind, 'plausible'):.0f} %)"
            for name in results["runs"]
        ]
        rows.append([f"damage: {kind}", *cells])
    for kind in ("noise", "backgrounds"):
        cells = [f"{100 * mean(results, name, 'empty', kind, 'plausible'):.0f} %" for name in results["runs"]]
        rows.append([f"no person: {kind}", *cells])
    title = f"Points within {CLOSE:.0f} px (mean error, bones of plausible length); without a person the bones alone"
    return Table(title, ("images", *results["runs"]), rows)


def plot(results: Results, file: Path) -> None:
    """Points found in damaged images, and plausible bones in empty ones."""
    names = list(results["runs"])
    found = {kind: {name: 100 * mean(results, name, "damaged", kind, "found") for name in names} for kind in DAMAGE}
    bones = {
        "people": {name: 100 * mean(results, name, "damaged", "none", "plausible") for name in names},
        **{
            kind: {name: 100 * mean(results, name, "empty", kind, "plausible") for name in names}
            for kind in ("noise", "backgrounds")
        },
    }
    panels = [
        grouped_bars(f"Points within {CLOSE:.0f} px, by damage", found, "percent"),
        grouped_bars("Bones of plausible length", bones, "percent"),
    ]
    file.write_text(sheet(panels), encoding="utf-8")
