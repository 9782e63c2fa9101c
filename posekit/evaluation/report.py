"""The report of a run: curves, per-point table, the best and the worst predictions, in one HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.engines.spec import InferenceSpec, known
from posekit.evaluation.measure import VISIBLE, Measured
from posekit.evaluation.sets import Sets
from posekit.geometry.affine import invert, transform
from posekit.geometry.framing import Crop
from posekit.metrics.coco_ap import KEYS
from posekit.metrics.protocols import PROTOCOLS
from posekit.transforms.geometric import still_crop
from posekit.visualize.draw import FAINT, draw_poses
from posekit.visualize.legend import entries
from posekit.visualize.report import Section, Table, write_report

SHOWN = 8
"""Number of best and of worst predictions that are drawn."""
ENLARGE = 512
"""Crops whose longer side is smaller are enlarged by a whole factor, pixels."""
ABOUT = (
    "Filled: predicted. White ring: label, with a white line to its prediction. Coloured ring: predicted, without a "
    "label. The number is the mean error as a share of the longer side of the box. A click shows a picture large."
)


def write_run_report(
    folder: Path,
    spec: InferenceSpec,
    sets: Sets,
    measured: Measured,
    baselines: Mapping[str, Mapping[str, float]],
    rows: Sequence[Mapping[str, float]],
    facts: Mapping[str, str],
) -> Path:
    """Write ``report.html`` and ``summary.json``.

    Args:
        folder: of the run.
        spec: of the model that was trained.
        sets: predictions on the validation set are drawn.
        measured: the best weights on the validation set.
        baselines: figures of the mean pose and the untrained network.
        rows: of metrics.csv, one an epoch: the curves.
        facts: more entries for the report, by name.

    Returns:
        Path of the report.
    """
    seen = int(rows[-1]["images"]) if rows else 0
    summary = {
        "figures": known(measured.figures),
        "main": measured.main,
        "baselines": {name: known(figures) for name, figures in baselines.items()},
        "images_seen": seen,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    skeleton = spec.skeleton
    columns = {"labelled": measured.labelled.sum(0)} | dict(measured.per_point)
    points = [
        [name, *(f"{int(v[i])}" if k == "labelled" else f"{v[i]:.4f}" for k, v in columns.items())]
        for i, name in enumerate(skeleton.points)
    ]
    compared = [
        [
            name,
            f"{measured.figures[name]:.4f}",
            *(f"{per[name]:.4f}" if name in per else "" for per in baselines.values()),
            meaning(name),
        ]
        for name in (measured.main, *(name for name in measured.figures if name != measured.main))
    ]
    return write_report(
        folder / "report.html",
        title=f"{spec.name}: {skeleton.name}",
        facts={
            "best": f"{measured.main} {measured.value:.4f}",
            "images seen": f"{seen:,}",
            "learned from": f"{len(sets.train)} instances",
            "measured on": f"{len(sets.val)} instances",
            "image size": f"{spec.size[0]}x{spec.size[1]}",
            **facts,
        },
        notes=sets.said,
        curves=_curves(rows),
        tables=[
            Table("Measured", ["metric", "this run", *baselines, "what it means"], compared),
            Table("Points", ["point", *columns], points),
        ],
        pictures=_pictures(spec, sets, measured),
    )


def meaning(name: str) -> str:
    """What a metric means, in a line; empty for names that are not known here."""
    if name in PROTOCOLS:
        protocol = PROTOCOLS[name]
        return f"{protocol.about}; {'higher' if protocol.higher else 'lower'} is better"
    if name == "depth_error":
        return "mean error of the depths, in the unit of the data; lower is better"
    if name == VISIBLE:
        return "probability that a seen point is ranked above a hidden one, 0.5 for a guess; higher is better"
    if name not in KEYS:
        return ""
    what = "average precision" if name.startswith("AP") else "average recall"
    limits = {"50": "at OKS 0.5", "75": "at OKS 0.75"}.get(name[2:], "over OKS 0.5 to 0.95")
    sizes = {"M": ", medium instances (32 to 96 px square)", "L": ", large instances (above 96 px square)"}
    return f"COCO's {what} {limits}{sizes.get(name[2:], '')}; higher is better"


def _curves(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Every column of metrics.csv against images seen: losses in one chart, each figure in its own."""
    charts: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for name, value in row.items():
            if "/" in name:
                kind, _, short = name.partition("/")
                chart = "loss" if kind == "loss" else short
                charts.setdefault(chart, {}).setdefault(short, []).append((float(row["images"]), float(value)))
    return charts


def _pictures(spec: InferenceSpec, sets: Sets, measured: Measured) -> list[Section]:
    """Predictions with their errors: the best, then the worst."""
    labelled = np.flatnonzero(np.isfinite(measured.instance_error))
    order = labelled[np.argsort(measured.instance_error[labelled], kind="stable")]
    ends = {"Best predictions": order[:SHOWN], "Worst predictions": order[::-1][:SHOWN]}
    skeleton = spec.skeleton
    return [
        Section(title, [_picture(spec, sets, measured, int(i)) for i in which], ABOUT, entries(skeleton, sides=True))
        for title, which in ends.items()
    ]


def _picture(spec: InferenceSpec, sets: Sets, measured: Measured, index: int) -> tuple[str, NDArray[np.uint8]]:
    name = Path(sets.val.instance(index).path).name
    drawn = drawn_instance(spec, sets.val, index, measured.xy[index])
    return f"{name}: {measured.instance_error[index]:.3f}", drawn


def drawn_instance(
    spec: InferenceSpec, dataset: Dataset, index: int, xy: NDArray[np.floating], enlarge: int = ENLARGE
) -> NDArray[np.uint8]:
    """A prediction drawn over the crop of its instance, with the labels.

    Args:
        spec: gives the crop.
        dataset: labelled.
        index: of a trainable instance.
        xy: (K, 2) predicted points, pixels of the set's images.
        enlarge: crops whose longer side is smaller are enlarged by a whole factor, pixels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    whole = dataset.instance(index)
    padding = spec.framing.padding if isinstance(spec.framing, Crop) else Crop().padding
    crop = still_crop(whole, spec.size, padding)
    truth = crop.instances.keypoints
    return draw_poses(
        crop.image,
        transform(xy, invert(crop.to_source) @ whole.to_source)[None],
        np.where(truth.labelled, 1.0, FAINT),  # points without a label are rings
        spec.skeleton,
        threshold=1.0,
        truth=np.where(truth.labelled[..., None], truth.xy, np.nan),
        enlarge=enlarge,
    )
