"""The report of a run: curves, per-point table, the best and the worst predictions, in one HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.affine import invert, transform
from posekit.pipelines.weights import known
from posekit.recipe import Recipe
from posekit.training.evaluate import Measured
from posekit.training.progress import Progress
from posekit.training.sets import Sets
from posekit.visualize.draw import draw_poses
from posekit.visualize.report import Section, Table, write_report

SHOWN = 8
"""Predictions drawn on either end."""


def write_run_report(
    folder: Path,
    recipe: Recipe,
    progress: Progress,
    sets: Sets,
    measured: Measured,
    baselines: Mapping[str, Mapping[str, float]],
) -> Path:
    """Write ``report.html`` and ``summary.json``.

    Args:
        folder: of the run.
        recipe: that was trained.
        progress: holds the curves.
        sets: of which the validation part is drawn.
        measured: the best weights on the validation set.
        baselines: figures of the mean pose and the untrained network.

    Returns:
        Path of the report.
    """
    summary = {
        "figures": known(measured.figures),
        "main": measured.main,
        "baselines": {name: known(figures) for name, figures in baselines.items()},
        "images_seen": progress.seen,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    skeleton = recipe.skeleton
    columns = {"labelled": measured.labelled.sum(0)} | dict(measured.per_point)
    rows = [
        [name, *(f"{int(v[i])}" if k == "labelled" else f"{v[i]:.4f}" for k, v in columns.items())]
        for i, name in enumerate(skeleton.points)
    ]
    compared = [
        [name, f"{measured.figures[name]:.4f}", *(f"{per[name]:.4f}" for per in baselines.values())]
        for name in measured.figures
    ]
    return write_report(
        folder / "report.html",
        title=f"{recipe.name}: {skeleton.name}",
        facts={
            "best": f"{measured.main} {measured.value:.4f}",
            "images seen": f"{progress.seen:,}",
            "learned from": f"{len(sets.train)} instances",
            "measured on": f"{len(sets.val)} instances",
            "network": f"{recipe.model.backbone.kind}, {recipe.size[0]}x{recipe.size[1]}",
            "codec": recipe.codec.kind,
        },
        notes=sets.said,
        curves=_curves(progress),
        tables=[
            Table("Measured", ["metric", "this run", *baselines], compared),
            Table("Points", ["point", *columns], rows),
        ],
        pictures=_pictures(recipe, sets, measured),
    )


def _curves(progress: Progress) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Every column of metrics.csv against images seen: losses in one chart, each figure in its own."""
    charts: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in progress.rows:
        for name, value in row.items():
            if "/" in name:
                kind, _, short = name.partition("/")
                chart = "loss" if kind == "loss" else short
                charts.setdefault(chart, {}).setdefault(short, []).append((float(row["images"]), float(value)))
    return charts


def _pictures(recipe: Recipe, sets: Sets, measured: Measured) -> list[Section]:
    """Predictions beside their size of error: the best, then the worst."""
    known = np.flatnonzero(np.isfinite(measured.instance_error))
    order = known[np.argsort(measured.instance_error[known], kind="stable")]
    ends = {"Best predictions": order[:SHOWN], "Worst predictions": order[::-1][:SHOWN]}
    return [Section(title, [_picture(recipe, sets, measured, int(i)) for i in which]) for title, which in ends.items()]


def _picture(recipe: Recipe, sets: Sets, measured: Measured, index: int) -> tuple[str, NDArray[np.uint8]]:
    whole = sets.val.instance(index)
    crop = recipe.augment.still(whole, size=recipe.size, padding=recipe.padding)
    xy = transform(measured.xy[index], invert(crop.to_source) @ whole.to_source)
    truth = crop.instances.keypoints
    drawn = draw_poses(
        crop.image,
        xy[None],
        measured.score[index][None],
        recipe.skeleton,
        threshold=0.0,
        truth=np.where(truth.labelled[..., None], truth.xy, np.nan),
    )
    return f"{Path(crop.path).name}: {measured.instance_error[index]:.3f}", drawn
