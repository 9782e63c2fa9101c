"""The range of regressed coordinates: how many steps to a given error, by range, location and initial weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from posekit.codecs.regression import Regression
from posekit.models.heads.pooled import Pooled
from posekit.studies.discs import SIDE, STRIDE, Learner, Method, anywhere, images, labels, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Coordinates from -0.5 to 0.5 train faster than from 0 to 1, because a zero output is the centre of the image."

Range = Literal["centred", "unit", "signed"]
RANGES: dict[Range, str] = {"centred": "-0.5 to 0.5", "unit": "0 to 1", "signed": "-1 to 1"}
LOCATIONS = {"centred objects": (0.3, 0.7), "off-centre objects": (0.6, 0.95)}
"""Range of the centres of discs in shares of the image, along both axes."""
STARTS = ("zero", "small", "default")
"""Initial weights of the last layer: zeros, the package's small ones, or PyTorch's default."""
GOAL = 3.0
"""Error in pixels that counts as learned."""


def targets(size: tuple[int, int], xy: tuple[float, float]) -> dict[str, list[float]]:
    """The regressed numbers of one point in each range.

    Args:
        size: (height, width) of the image in pixels.
        xy: the point, image pixels.
    """
    point = torch.tensor([xy], dtype=torch.float64)
    found = {}
    for name in RANGES:
        codec = Regression(points=1, size=size, normalise=name, outside="ignore")
        found[str(name)] = codec.encode(labels(point)).maps["coords"][0, 0].tolist()
    return found


def start_error(normalise: Range, location: str, count: int, seed: int) -> float:
    """Mean error in pixels of a network whose output is zero."""
    generator = torch.Generator().manual_seed(seed)
    xy = anywhere(generator, count, *LOCATIONS[location])
    codec = Regression(points=1, size=(SIDE, SIDE), normalise=normalise)
    found = codec.decode({"coords": torch.zeros(count, 1, 2)}).xy[:, 0, 0]
    return float((found - xy).norm(dim=-1).mean())


def _restart(learner: Learner, start: str, seed: int) -> None:
    """Set the weights of the last layer."""
    layers = [layer for layer in learner.net.head.modules() if isinstance(layer, nn.Linear)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in layers if start != "small" else ():
            layer.reset_parameters()
            if start == "zero":
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)


def steps_to_goal(normalise: Range, location: str, start: str, most: int, seed: int) -> dict[str, float]:
    """Train until the error on held-out images falls to `GOAL`.

    Returns:
        ``steps`` (as measured every 10; infinite if never reached), and ``first`` and ``last``, the errors in pixels.
    """
    codec = Regression(points=1, size=(SIDE, SIDE), normalise=normalise)
    learner = Learner(Method(codec, ("l1",), Pooled(cells=SIDE // STRIDE)), seed)
    _restart(learner, start, seed)
    ends = LOCATIONS[location]

    def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        xy = anywhere(generator, count, *ends)
        return images(xy, generator), xy

    held, truth = draw(torch.Generator().manual_seed(seed + 900), 64)
    errors: list[tuple[int, float]] = []

    def watch(step: int) -> bool:
        if step % 10 == 0:
            errors.append((step, float(learner.errors(held, truth).mean())))
        return errors[-1][1] <= GOAL

    train(learner, draw, most, seed, lr=1e-3, watch=watch)
    reached = next((step for step, error in errors if error <= GOAL), math.inf)
    return {"steps": float(reached), "first": errors[0][1], "last": errors[-1][1]}


def run(quick: bool, seed: int) -> Results:
    """Each range, location and start: at most 120 (quick) or 240 steps, 1 or 2 seeds; never reached is ``null``."""
    most, seeds = (120, 1) if quick else (240, 2)
    found: dict[str, Any] = {}
    for location in LOCATIONS:
        found[location] = {}
        for start in STARTS:
            found[location][start] = {
                str(name): [_told(steps_to_goal(name, location, start, most, seed + i)) for i in range(seeds)]
                for name in RANGES
            }
    zero = {loc: {str(name): start_error(name, loc, 512, seed) for name in RANGES} for loc in LOCATIONS}
    return {"most": most, "zero_output": zero, "runs": found, "example": targets((192, 256), (50.5, 200.5))}


def _told(numbers: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def steps(results: Results, location: str, start: str, name: str) -> float:
    """Median over seeds; infinite where more than half never reached the goal."""
    runs = results["runs"][location][start][name]
    return float(np.median([math.inf if run["steps"] is None else run["steps"] for run in runs]))


def _as_text(value: float, results: Results) -> str:
    return f"{value:.0f}" if math.isfinite(value) else f"not within {results['most']}"


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    centre, side = LOCATIONS

    def told(location: str, start: str) -> str:
        return ", ".join(
            f"{RANGES[name]} {_as_text(steps(results, location, start, name), results)}" for name in RANGES
        )

    zero = results["zero_output"]
    first = {start: steps(results, centre, start, "centred") for start in STARTS}
    return [
        Finding(
            zero[centre]["centred"] < 0.5 * zero[centre]["unit"],
            "A zero output is near objects in the centre with the range -0.5 to 0.5, and in a corner with 0 to 1",
            f"error {zero[centre]['centred']:.1f} and {zero[centre]['unit']:.1f} px",
        ),
        Finding(
            steps(results, centre, "zero", "centred") < steps(results, centre, "zero", "unit"),
            f"From zero weights, -0.5 to 0.5 needs fewer steps than 0 to 1 to {GOAL:.0f} px, for objects in the centre",
            told(centre, "zero"),
        ),
        Finding(
            steps(results, side, "zero", "centred") < steps(results, side, "zero", "unit"),
            "The same for objects away from the centre",
            told(side, "zero"),
        ),
        Finding(
            all(steps(results, loc, "zero", "signed") < steps(results, loc, "zero", "centred") for loc in LOCATIONS),
            "At the same learning rate, the range -1 to 1 is faster than -0.5 to 0.5 everywhere",
            f"{centre}: {told(centre, 'zero')}; {side}: {told(side, 'zero')}",
        ),
        Finding(
            first["zero"] < first["default"],
            "With the range -0.5 to 0.5, zero or small initial weights are faster than PyTorch's default",
            ", ".join(f"{start} {_as_text(value, results)}" for start, value in first.items()) + " steps",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Steps to the goal."""
    rows = [
        [location, start, *(_as_text(steps(results, location, start, name), results) for name in RANGES)]
        for location in LOCATIONS
        for start in STARTS
    ]
    header = ("objects", "last layer starts", *RANGES.values())
    return Table(f"Steps to a mean error of {GOAL:.0f} px (median over seeds)", header, rows)


def plot(results: Results, file: Path) -> None:
    """Steps to the goal for each range, start and location."""
    panels = []
    for location in LOCATIONS:
        groups = {
            f"{start} weights": {RANGES[name]: steps(results, location, start, name) for name in RANGES}
            for start in STARTS
        }
        panels.append(grouped_bars(location.capitalize(), groups, f"steps to {GOAL:.0f} px"))
    file.write_text(sheet(panels), encoding="utf-8")
