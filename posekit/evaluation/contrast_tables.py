"""A comparison as JSON, as rows of a CSV file, and as tables of a report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.evaluation.contrast import Contrast
from posekit.metrics.protocols import PROTOCOLS
from posekit.metrics.resampling import Estimate
from posekit.visualize.estimates import estimate_chart
from posekit.visualize.report import Table

PAIRS = 60
"""Pairs in the table of a report; all are in the JSON."""


def plain(value: Any) -> Any:
    """Plain JSON values: NaN becomes null, numbers are rounded to six digits."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def metrics_of(result: Contrast, method: str) -> dict[str, Any]:
    """Every metric of a method: value and interval over all points, and of each point."""
    return {name: _entry(result.points, own) for name, own in result.estimates[method].items()}


def _entry(points: Sequence[str], own: Estimate) -> dict[str, Any]:
    columns = [
        dict(zip(("value", "low", "high"), row, strict=True)) for row in zip(own.value, own.low, own.high, strict=True)
    ]
    each = dict(zip(points, columns[1:], strict=True)) if len(columns) > 1 else {}
    return columns[0] | ({"points": each} if each else {})


def with_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """A value with its interval in a table.

    >>> with_interval(0.91, 0.88, 0.94)
    '0.910 (0.880 to 0.940)'
    """
    if not math.isfinite(value):
        return "-"
    told = f"{value:.{digits}f}"
    return f"{told} ({low:.{digits}f} to {high:.{digits}f})" if math.isfinite(low) and math.isfinite(high) else told


def digits_of(metric: str) -> int:
    """Decimals of a metric: pixels need fewer than fractions."""
    return 2 if metric in ("epe", "median") else 4 if metric.startswith("nme") else 3


def shown(result: Contrast, method: str, metric: str, column: int = 0) -> str:
    """A metric of a method with its interval, as text."""
    own = result.estimates[method][metric]
    return with_interval(own.value[column], own.low[column], own.high[column], digits_of(metric))


def accuracy_table(result: Contrast, title: str = "Accuracy") -> Table:
    """Methods from best to worst with all metrics."""
    rows = [[name, *(shown(result, name, metric) for metric in result.metrics)] for name in result.ranked()]
    return Table(title, ["method", *result.metrics], rows)


def points_tables(result: Contrast) -> list[Table]:
    """The main metric of each point where it has them, and the mean error."""
    names = [m for m in dict.fromkeys((result.main, "pck@0.05", "nme_box")) if m in result.metrics]
    tables = []
    for metric in names:
        if len(next(iter(result.estimates.values()))[metric].value) == 1:
            continue
        order = result.ranked()
        rows = [
            [point, str(int(result.labelled[k])), *(shown(result, name, metric, 1 + k) for name in order)]
            for k, point in enumerate(result.points)
        ]
        tables.append(Table(f"Points: {metric}", ["point", "labelled", *order], rows))
    return tables


def pairs_table(result: Contrast, pairs: Sequence[Mapping[str, Any]]) -> Table:
    """Differences of the main metric, with intervals, and the signed-rank test."""
    rows = []
    for pair in pairs[:PAIRS]:
        main = pair["differences"][result.main]
        digits = digits_of(result.main)
        sure = main["low"] > 0 or main["high"] < 0
        said = "apart" if sure else "cannot be told apart" if math.isfinite(main["low"]) else "too few images"
        rows.append([f"{pair['a']} - {pair['b']}", with_interval(**main, digits=digits), said, f"{pair['p']:.2g}"])
    title = f"Pairs: difference of {result.main}" + (f", the first {PAIRS}" if len(pairs) > PAIRS else "")
    return Table(title, ["pair", "difference", "by the 95 % interval", "p of the instances' errors"], rows)


def main_chart(result: Contrast) -> str:
    """Intervals of the main metric."""
    rows = {}
    for name in result.ranked():
        own = result.estimates[name][result.main]
        rows[name] = (float(own.value[0]), float(own.low[0]), float(own.high[0]))
    better = "higher" if result.higher else "lower"
    return estimate_chart(f"{result.main} with 95 % intervals", rows, f"{result.main}; {better} is better")


def main_about(result: Contrast) -> str:
    """What the main metric is, in a line."""
    return PROTOCOLS[result.main].about if result.main in PROTOCOLS else "COCO's average precision"


def write_json(file: Path, document: Mapping[str, Any]) -> Path:
    """Write plain values."""
    file.write_text(json.dumps(plain(document), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows under the names of all their columns; what is unknown stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows([{name: "" if value is None else value for name, value in plain(row).items()} for row in rows])
    return file


def csv_rows(result: Contrast) -> list[dict[str, Any]]:
    """One row a method: every metric with its interval."""
    rows = []
    for name in result.ranked():
        row: dict[str, Any] = {"method": name}
        for metric in result.metrics:
            own = result.estimates[name][metric]
            row |= {metric: own.value[0], f"{metric} low": own.low[0], f"{metric} high": own.high[0]}
        rows.append(row)
    return rows
