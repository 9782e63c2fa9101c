"""The tables of `smoothing.md`, from ``smoothing.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from figures import read_result, row

from posekit.studies.smoothing import MAIN, verdict

NAMES = {
    "raw": "raw",
    "mediapipe 0.1/40": "One-Euro, MediaPipe's older settings",
    "mediapipe 0.05/80": "One-Euro, MediaPipe's settings of its tasks",
    "ema": "EMA",
    "median": "median",
    "one-euro": "One-Euro, tuned",
    "kalman": "**Kalman, tuned**",
    "two-pass": "two passes of an EMA, offline",
    "savgol": "Savitzky-Golay, offline",
    "rts": "Rauch-Tung-Striebel, offline",
}


def measured_on(result: Mapping[str, Any]) -> str:
    """What the rows of the main condition were measured on, and in which units."""
    main = result["synthetic"][MAIN]
    return (
        f"{result['people']} synthetic people, {result['seconds']:g} s each, at {main['fps']:g} fps, errors correlated "
        f"over {main['correlation'] * 1000:g} ms; +- is the standard deviation over people. Jitter is the acceleration "
        "error in object sizes per second squared, error in percent of the object's size."
    )


def smoothing() -> Iterator[str]:
    """The main table, the tuned Kalman filter under the other conditions, and the verdict."""
    result = read_result("smoothing")
    if result is None:
        return
    main = result["synthetic"][MAIN]
    yield f"{measured_on(result)}\n"
    yield row("filter", "accepted lag, frames", "measured lag, frames", "jitter", "jitter cut", "error, %", "of raw")
    yield row(*["---"] * 7)
    for one in main["rows"]:
        yield row(
            NAMES[one["method"]],
            "" if one["lag"] is None else str(one["lag"]),
            _pair(one["late"], 1, 2),
            _pair(one["jitter"], 1, 1),
            _pair(one["cut"], 100, 0, " %"),
            _pair(one["error"], 100, 1),
            f"{one['of_raw']['mean']:.2f}",
        )
    yield ""
    yield "Other conditions, at an accepted lag of one frame, and offline (jitter cut, measured lag, error of raw):"
    yield ""
    yield row("fps", "errors correlated over", "EMA", "One-Euro, tuned", "Kalman, tuned", "Rauch-Tung-Striebel")
    yield row(*["---"] * 6)
    for where in result["synthetic"]:
        cells = [
            _short(where, "ema", 1),
            _short(where, "one-euro", 1),
            _short(where, "kalman", 1),
            _short(where, "rts", None),
        ]
        yield row(f"{where['fps']:g}", f"{where['correlation'] * 1000:g} ms", *cells)
    yield ""
    yield from (f"- {line}" for line in verdict(result).splitlines() if "against" not in line)
    yield ""


def _pair(value: Mapping[str, float], scale: float, digits: int, unit: str = "") -> str:
    return f"{value['mean'] * scale:.{digits}f} +- {value['spread'] * scale:.{digits}f}{unit}"


def _short(where: Mapping[str, Any], method: str, lag: int | None) -> str:
    one = next(r for r in where["rows"] if r["method"] == method and r["lag"] == lag)
    return f"{one['cut']['mean']:.0%}, {one['late']['mean']:.2f}, {one['of_raw']['mean']:.2f}"
