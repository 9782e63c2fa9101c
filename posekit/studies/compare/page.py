"""`compare.html`: recommendation, accuracy against latency, tables, and the same hard images for all methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posekit.evaluation.contrast_tables import (
    accuracy_table,
    main_about,
    main_chart,
    pairs_table,
    points_tables,
    with_interval,
)
from posekit.evaluation.report import drawn_instance
from posekit.evaluation.sets import Sets
from posekit.studies.compare.plan import family_of
from posekit.studies.compare.race import folder_of
from posekit.studies.compare.spoil import BLUR, RADIUS, SPOILS
from posekit.studies.compare.worker import rung_file
from posekit.visualize.legend import entries
from posekit.visualize.report import Section, Table, write_report
from posekit.visualize.trade_off import Mark, trade_off_chart

if TYPE_CHECKING:
    from posekit.studies.compare.report import Outcome

HARD = 6
"""Images that are drawn for every method."""
PICTURE = 256
"""Smaller crops are enlarged to at least this side by a whole factor, pixels."""
ABOUT = (
    "The validation images with the largest error, as the mean of all methods. Filled: predicted. White ring: label, "
    "with a white line to its prediction. The number is the mean error as a share of the longer side of the box."
)


def write_page(found: Outcome, sets: Sets, out: Path, pictures: bool = True) -> Path:
    """Write the report.

    Args:
        found: of the comparison.
        sets: gives the images.
        out: folder.
        pictures: draw the hard images; without, the file holds no image of the data.
    """
    made, result = found.made, found.result
    shares = f"{made.instances:,} instances, {made.epochs} passes" if made.instances else ""
    return write_report(
        out / "compare.html",
        title=f"Which representation? {len(made.methods)} methods on {result.images:,} validation images",
        lead=[*found.verdict.sentences, f"Train it in full: {found.command}"],
        facts={
            "recommended": found.verdict.take,
            "metric": f"{result.main}, {'higher' if result.higher else 'lower'} is better",
            "images seen by each": f"{made.images:,} ({shares})",
            "measured on": f"{result.instances:,} instances, {result.images:,} images",
            "initial weights": made.init or "none",
            "budget": f"{made.budget}, seed {made.seed}",
        },
        charts=[pareto(found), main_chart(result)],
        tables=[
            accuracy_table(result),
            robustness_table(found),
            cost_table(found),
            *([stopped_table(found)] if found.raced.stopped else []),
            *points_tables(result),
            pairs_table(result, result.pairs()),
        ],
        pictures=hard_images(found, sets, out) if pictures else [],
        curves={
            "mean error of an instance, in box sides": {
                name: [(epoch * made.instances, value) for epoch, value in sorted(curve.items())]
                for name, curve in found.raced.curves.items()
            }
        },
        notes=[
            f"{result.main}: {main_about(result)}.",
            "Accuracy against latency: the dashed line joins the methods that no other one beats in both.",
            "score ranks: probability that a correct point has a higher score than a wrong one, 0.5 for a guess. "
            "after calibration: `posekit eval --calibrate` fits the curve.",
            *found.notes,
            *sets.said,
        ],
    )


def pareto(found: Outcome) -> str:
    """Accuracy against the latency of the exported file."""
    main = found.result.main
    marks = []
    for name in found.result.ranked():
        own = found.result.estimates[name][main]
        marks.append(Mark(name, found.ms(name), float(own.value[0]), float(own.low[0]), float(own.high[0])))
    better = "higher" if found.result.higher else "lower"
    return trade_off_chart(
        "Accuracy against latency",
        marks,
        found.result.higher,
        "ms of a crop, exported file, one thread",
        f"{main} ({better} is better)",
        found.verdict.take,
    )


def robustness_table(found: Outcome) -> Table:
    """Losses on spoiled crops and the worth of scores."""
    header = [
        "method",
        *(f"loss, {how}" for how in SPOILS),
        "score ranks",
        "calibration error",
        "after calibration",
        "correct",
    ]
    rows = []
    for name in found.result.ranked():
        own = found.scores[name]
        losses = [with_interval(*found.drop(name, how)) for how in SPOILS]
        trusted = (own.ranks, own.raw, own.calibrated, own.correct)
        rows.append([name, *losses, *(f"{value:.3f}" if np.isfinite(value) else "-" for value in trusted)])
    meaning = next(iter(found.scores.values())).meaning
    title = (
        f"Robustness (loss of {found.result.main}; a disc of {RADIUS:g} of the crop hidden, or a blur of {BLUR:g} "
        f"of it) and scores (correct: {meaning})"
    )
    return Table(title, header, rows)


def cost_table(found: Outcome) -> Table:
    """What each finished method costs."""
    header = [
        "method",
        "family",
        "ms",
        "p95 ms",
        "head MACs",
        "MACs",
        "head parameters",
        "parameters",
        "file",
        "memory",
    ]
    rows = []
    for name in found.result.ranked():
        cost = found.cost[name]
        head, total = cost.get("head", {}), cost.get("total", {})
        file, start = cost.get("bytes"), cost.get("start", {})
        rows.append(
            [
                name,
                family_of(name),
                *(f"{cost[key]:.2f}" if key in cost else "-" for key in ("ms", "p95_ms")),
                *(f"{part['macs'] / 1e6:.2f} M" if part else "-" for part in (head, total)),
                *(f"{part['parameters'] / 1e3:,.1f} k" if part else "-" for part in (head, total)),
                "not exported" if file is None else f"{file / 1e6:.2f} MB",
                f"{start['peak_MB']:.0f} MB" if start else "-",
            ]
        )
    return Table("Cost", header, rows)


def stopped_table(found: Outcome) -> Table:
    """Methods that did not get the full budget, and why."""
    rows = [
        [
            name,
            family_of(name),
            f"{why.epoch} of {found.made.epochs} passes",
            f"{found.raced.curves[name][why.epoch]:.4f}",
            f"{why.best} ({found.raced.curves[why.best][why.epoch]:.4f})",
            f"{why.p:.2g}",
        ]
        for name, why in found.raced.stopped.items()
    ]
    return Table("Stopped early", ["method", "family", "after", "mean error then", "worse than", "p"], rows)


def hard_images(found: Outcome, sets: Sets, out: Path) -> list[Section]:
    """The same images for all finished methods, side by side."""
    order = found.result.ranked()
    points = {name: np.load(rung_file(folder_of(out, name), found.raced.last[name]))["xy"] for name in order}
    each = np.stack([found.result.errors[name] for name in order])
    mean = np.where(np.isnan(each).any(0), -np.inf, each.mean(0))
    sections = []
    legend = entries(found.spec.skeleton, sides=True)
    for number, index in enumerate(np.argsort(-mean, kind="stable")[:HARD].tolist()):
        if not np.isfinite(mean[index]):
            break
        pictures = [
            (
                f"{name}: {found.result.errors[name][index]:.3f}",
                drawn_instance(found.spec, sets.val, index, points[name][index], PICTURE),
            )
            for name in order
        ]
        title = f"Hard image {number + 1}: {Path(sets.val.instance(index).path).name}, mean error {mean[index]:.3f}"
        sections.append(Section(title, pictures, ABOUT if not number else "", legend if not number else ()))
    return sections
