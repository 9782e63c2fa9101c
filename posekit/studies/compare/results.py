"""`posekit compare --results`: results of any libraries on the same labels, with intervals. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.evaluation.contrast import Contrast, contrast
from posekit.evaluation.contrast_tables import (
    accuracy_table,
    csv_rows,
    main_about,
    main_chart,
    metrics_of,
    pairs_table,
    points_tables,
    with_interval,
    write_csv,
    write_json,
)
from posekit.evaluation.results import Results, Shared, precisions, read_results, shared
from posekit.evaluation.sets import read_set
from posekit.evaluation.verdict import Verdict, gaps_of, verdict
from posekit.metrics.resampling import clustered_rate
from posekit.visualize.report import Table, write_report

Found = dict[str, tuple[float, float, float]]
"""Share of the labelled instances that have a pose, with its interval, by name."""


def compare_results(
    labels: Sequence[Path],
    files: Sequence[Path],
    out: Path,
    *,
    source: Data | None = None,
    names: Sequence[str] = (),
    every: bool = False,
    metric: str = "",
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Compare files of results, and write ``compare.json``, ``compare.csv`` and ``compare.html``.

    Args:
        labels: label files.
        files: results, at least two.
        out: folder for the files.
        source: folder of the images, category, skeleton of the labels.
        names: of the results; none: the files' names.
        every: see `posekit.evaluation.results.shared`.
        metric: that ranks: AP or a protocol; empty: AP.
        seed: of the resampling.
        say: prints a line.

    Returns:
        The files written.

    Raises:
        DataError: a file is invalid, or they have nothing in common.
        ValueError: fewer than two files, or other names than files.
    """
    called = _names(files, names)
    source = source or Data()
    dataset = read_set(source, labels, "val")
    if not len(dataset):
        raise DataError(f"{dataset.file or 'the data'}: no instance with a labelled point; at least one is needed")
    read = [read_results(file, dataset, name) for file, name in zip(files, called, strict=True)]
    on = shared(dataset, read, every)
    for sentence in on.said:
        say(sentence)
    result = contrasted(read, on, metric or "AP", seed)
    rates = found_rates(read, dataset, on)
    best, gaps = gaps_of(result, called)
    told = verdict(
        best,
        gaps,
        result.main,
        result.images,
        values={name: float(result.estimates[name][result.main].value[0]) for name in called},
        about="these",
    )
    written = _write(out, result, told, rates, on, read, dataset)
    for sentence in told.sentences:
        say(sentence)
    say(f"in {', '.join(map(str, written))}")
    say(f"next: open {written[-1]}; posekit data check draws the labels, if all files are wrong on the same images")
    return written


def _names(files: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Names of the results: given ones, or those of the files, with folders where they are alike."""
    if len(files) < 2:
        raise ValueError(f"a comparison needs at least two files of results; got {len(files)}")
    if names and len(names) != len(files):
        raise ValueError(f"--names names {len(names)} results, --results {len(files)}: give one for each")
    called = list(names) or [file.stem for file in files]
    if len(set(called)) < len(called) and not names:
        called = [f"{file.parent.name}/{file.stem}" for file in files]
    if len(set(called)) < len(called):
        raise ValueError(f"results need different names; got {', '.join(called)}: give --names")
    return called


def contrasted(read: Sequence[Results], on: Shared, metric: str, seed: int = 0) -> Contrast:
    """The statistics of some files on what all of them have."""
    each = {one.name: precisions(one, on.scenes, on.images) for one in read}
    more = {name: {method: own[name] for method, own in each.items()} for name in ("AP", "AP50", "AP75")}
    return contrast({one.name: one.matched.xy[on.instances] for one in read}, on.common, metric, seed=seed, more=more)


def found_rates(read: Sequence[Results], dataset: Dataset, on: Shared) -> Found:
    """Share of the labelled instances of the compared images for which each file has a pose."""
    image = dataset.image_of_instance()
    inside = np.isin(image, on.images)
    total = np.bincount(image[inside], minlength=dataset.scenes).astype(np.float64)
    rates = {}
    for one in read:
        right = np.bincount(image[inside & one.found], minlength=dataset.scenes).astype(np.float64)
        rates[one.name] = (float(right.sum() / total.sum()), *clustered_rate(right, total))
    return rates


def _write(
    out: Path, result: Contrast, told: Verdict, rates: Found, on: Shared, read: Sequence[Results], dataset: Dataset
) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    pairs = result.pairs()
    document = {
        "kind": "results",
        "data": {
            "images": dataset.scenes,
            "instances": len(dataset),
            "compared images": len(on.images),
            "compared instances": len(on.instances),
            "points": list(result.points),
            "points that all have": [p for p, n in zip(result.points, result.labelled, strict=True) if n],
        },
        "metric": result.main,
        "higher is better": result.higher,
        "ranking": result.ranked(),
        "methods": {
            one.name: {
                "file": one.file.name,
                "found": dict(zip(("value", "low", "high"), rates[one.name], strict=True)),
                "metrics": metrics_of(result, one.name),
            }
            for one in read
        },
        "pairs": pairs,
        "recommendation": {
            "most accurate": told.best,
            "cannot be told apart from it": told.tied,
            "sentences": told.sentences,
        },
        "notes": [*on.said, *dataset.inferred],
    }
    rows = csv_rows(result)
    for row in rows:
        row |= dict(zip(("found", "found low", "found high"), rates[row["method"]], strict=True))
    return [
        write_json(out / "compare.json", document),
        write_csv(out / "compare.csv", rows),
        _page(out / "compare.html", result, told, rates, on, pairs),
    ]


def _page(
    file: Path, result: Contrast, told: Verdict, rates: Found, on: Shared, pairs: Sequence[dict[str, Any]]
) -> Path:
    return write_report(
        file,
        title=f"{len(rates)} results on {len(on.images):,} images",
        lead=told.sentences,
        facts={
            "most accurate": told.best,
            "metric": f"{result.main}, {'higher' if result.higher else 'lower'} is better",
            "images": f"{len(on.images):,}",
            "instances that all have": f"{len(on.instances):,}",
        },
        charts=[main_chart(result)],
        tables=[
            accuracy_table(
                result, "Accuracy (AP on all labelled instances of these images, the rest on those that all have)"
            ),
            Table(
                "Labelled instances that have a pose",
                ["method", "share"],
                [[name, with_interval(*rate)] for name, rate in rates.items()],
            ),
            *points_tables(result),
            pairs_table(result, pairs),
        ],
        notes=[f"{result.main}: {main_about(result)}.", *on.said],
    )
