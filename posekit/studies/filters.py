"""Smoothing as a study: what steadiness costs in lag, on synthetic people with a model's errors.

The measurement is that of `posekit.studies.smoothing`; a clip of one's own is measured by `posekit.studies.own_clip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posekit.studies.findings import Finding, paragraphs
from posekit.studies.smoothing import AIM, AIM_OFFLINE, CONDITIONS, LAGS, MAIN, MEDIAPIPE, chart, measure, row_of
from posekit.studies.study import Results
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "An exponential moving average, a simple Kalman filter, steadies a small model's points."
LATE = 1.05
"""Measured lag in frames that counts as one frame."""


def run(quick: bool, seed: int) -> Results:
    """Measure all filters at equal lag; the quick form takes fewer people and only two of the five conditions."""
    if quick:
        return measure(people=4, seconds=4.0, conditions=CONDITIONS[MAIN : MAIN + 2], seed=seed)
    return measure(seed=seed)


def _main(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """The main condition."""
    fps, correlation = CONDITIONS[MAIN]
    found: Mapping[str, Any] = next(
        one for one in results["synthetic"] if (one["fps"], one["correlation"]) == (fps, correlation)
    )
    return found


def _row(where: Mapping[str, Any], method: str, lag: int | None) -> Mapping[str, Any]:
    row = row_of(where, method, lag)
    assert row is not None, f"{method} at a lag of {lag} was not measured"
    return row


def _reached(where: Mapping[str, Any]) -> bool:
    row = _row(where, "kalman", 1)
    return bool(row["cut"]["mean"] >= AIM and row["of_raw"]["mean"] < 1 and row["late"]["mean"] <= LATE)


def _told(where: Mapping[str, Any], method: str, lag: int | None) -> str:
    row = _row(where, method, lag)
    cut, late, left = (row[name]["mean"] for name in ("cut", "late", "of_raw"))
    return f"{cut:.0%} of the jitter at {late:.2f} frames, error {left:.2f} of raw"


def findings(results: Results) -> list[Finding]:
    """What the numbers say; at 25 frames a second with errors correlated over 40 ms unless said otherwise."""
    main = _main(results)
    ema = _row(main, "ema", 1)
    pairs = [(_row(main, "kalman", lag)["cut"]["mean"], _row(main, "ema", lag)["cut"]["mean"]) for lag in LAGS]
    published = [_row(main, name, None) for name in MEDIAPIPE]
    reached = [_reached(where) for where in results["synthetic"]]
    two, ahead = _row(main, "two-pass", None), _row(main, "rts", None)
    return [
        Finding(
            ema["cut"]["mean"] > 0 and ema["of_raw"]["mean"] < 1,
            "A moving average that may lag by a frame makes points both steadier and more accurate",
            _told(main, "ema", 1),
        ),
        Finding(
            all(ours > theirs for ours, theirs in pairs),
            "A Kalman filter with velocity, tuned on the clip, cuts more jitter than the moving average at every lag",
            "; ".join(
                f"{lag} frames: {ours:.0%} and {theirs:.0%}" for lag, (ours, theirs) in zip(LAGS, pairs, strict=True)
            ),
        ),
        Finding(
            _reached(main),
            f"The tuned Kalman filter cuts {AIM:.0%} of the jitter within a frame of lag, with less error than raw",
            _told(main, "kalman", 1),
        ),
        Finding(
            all(reached),
            "The tuned Kalman filter reaches that at every frame rate and for errors of any duration",
            f"{sum(reached)} of {len(reached)} conditions",
        ),
        Finding(
            all(row["of_raw"]["mean"] < 1 for row in published),
            "One-Euro with MediaPipe's settings makes the points more accurate",
            "; ".join(f"{name}: {_told(main, name, None)}" for name in MEDIAPIPE),
        ),
        Finding(
            two["cut"]["mean"] >= AIM_OFFLINE and ahead["cut"]["mean"] >= AIM_OFFLINE,
            f"Finished clips can do without {AIM_OFFLINE:.0%} of the jitter, in two passes or looking ahead",
            f"two passes {_told(main, 'two-pass', None)}; Rauch-Tung-Striebel {_told(main, 'rts', None)}",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Every filter in the main condition: accepted and measured lag, jitter that is cut, and error."""
    main = _main(results)
    rows = [
        [
            row["method"],
            "" if row["lag"] is None else str(row["lag"]),
            *(f"{row[name]['mean']:.2f}" for name in ("late", "cut", "of_raw")),
        ]
        for row in main["rows"]
    ]
    title = f"{main['fps']:g} frames a second, errors correlated over {main['correlation'] * 1000:g} ms"
    return Table(title, ("filter", "accepted lag, frames", "measured lag", "jitter cut", "error / raw"), rows)


def plot(results: Results, file: Path) -> None:
    """Jitter against lag, a panel for each condition."""
    file.write_text(sheet([chart(where) for where in results["synthetic"]]), encoding="utf-8")
