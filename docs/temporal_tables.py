"""The tables of `temporal.md`, from ``temporal.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from figures import read_result, row
from smoothing_tables import measured_on

from posekit.studies.smoothing import LAGS, MAIN

NAMES = {
    "raw": "raw",
    "kalman": "Kalman, tuned",
    "one-euro": "One-Euro, tuned",
    "rts": "Rauch-Tung-Striebel, offline",
    "temporal": "**temporal network**",
    "temporal-offline": "**temporal network, offline**",
}


def temporal() -> Iterator[str]:
    """The network beside the tuned filters, in which conditions it wins, and what lifting errs."""
    result = read_result("temporal")
    if result is None:
        return
    main = result["synthetic"][MAIN]
    yield f"{measured_on(result)}\n"
    yield row("filter", "accepted lag, frames", "measured lag, frames", "jitter", "error, %", "of raw")
    yield row(*["---"] * 6)
    for one in sorted(main["rows"], key=lambda r: (r["method"] != "raw", r["lag"] is None, r["lag"] or 0)):
        yield row(
            NAMES[one["method"]],
            "" if one["lag"] is None else str(one["lag"]),
            _pair(one["late"], 1, 2),
            _pair(one["jitter"], 1, 1),
            _pair(one["error"], 100, 1),
            f"{one['of_raw']['mean']:.2f}",
        )
    yield ""
    yield (
        "All conditions: jitter and error of the network, divided by those of the tuned Kalman filter at the same "
        "accepted lag (offline: of Rauch-Tung-Striebel). Below 1 the network is better. Measured lags in brackets, "
        "frames: of the network, of the other."
    )
    yield ""
    yield row("fps", "errors correlated over", *(f"lag {lag}" for lag in LAGS), "offline")
    yield row(*["---"] * (len(LAGS) + 3))
    for where in result["synthetic"]:
        cells = [_ratio(where, ("temporal", lag), ("kalman", lag)) for lag in LAGS]
        cells.append(_ratio(where, ("temporal-offline", None), ("rts", None)))
        yield row(f"{where['fps']:g}", f"{where['correlation'] * 1000:g} ms", *cells)
    yield ""
    yield (
        "The network by itself: jitter cut, measured lag in frames, error as a share of the raw one. The aim of the "
        "filters, 70% of the jitter within a frame of lag with less error than raw, and 85% offline, is "
        f"{'reached' if _reached(result['synthetic']) else 'missed'} in all conditions."
    )
    yield ""
    yield row("fps", "errors correlated over", "accepted lag 0", "offline")
    yield row(*["---"] * 4)
    for where in result["synthetic"]:
        cells = [_alone(where, key) for key in (("temporal", 0), ("temporal-offline", None))]
        yield row(f"{where['fps']:g}", f"{where['correlation'] * 1000:g} ms", *cells)
    yield ""
    if "lift" in result:
        yield from _lift(result["lift"])


def _lift(found: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Lifting, {found['people']} people who turn, at {found['fps']:g} fps. Errors in percent of the object's size, "
        f"about the root. The small networks (24 channels, offline) were trained for "
        f"{found['steps']} steps on {found['tracks']} tracks; the first three rows have the 2-D of the network in the "
        "package."
    )
    yield ""
    yield row("depth from", "MPJPE", "in the image", "in depth")
    yield row(*["---"] * 4)
    for name, one in found["rows"].items():
        yield row(name, *(f"{one[column]:.1f}" for column in ("mpjpe", "in the image", "in depth")))
    yield ""


def _pair(value: Mapping[str, float], scale: float, digits: int) -> str:
    return f"{value['mean'] * scale:.{digits}f} +- {value['spread'] * scale:.{digits}f}"


def _of(where: Mapping[str, Any], key: tuple[str, int | None]) -> Mapping[str, Any]:
    return next(found for found in where["rows"] if (found["method"], found["lag"]) == key)


def _alone(where: Mapping[str, Any], key: tuple[str, int | None]) -> str:
    one = _of(where, key)
    return f"{100 * one['cut']['mean']:.0f}%, {one['late']['mean']:.2f}, {one['of_raw']['mean']:.2f}"


def _reached(conditions: Sequence[Mapping[str, Any]]) -> bool:
    """The aim of ``smoothing_tables``, by the network with an accepted lag of 0 and offline."""
    live = [_of(where, ("temporal", 0)) for where in conditions]
    offline = [_of(where, ("temporal-offline", None)) for where in conditions]
    return all(
        one["cut"]["mean"] >= 0.7 and one["late"]["mean"] <= 1 and one["of_raw"]["mean"] < 1 for one in live
    ) and all(one["cut"]["mean"] >= 0.85 for one in offline)


def _ratio(where: Mapping[str, Any], ours: tuple[str, int | None], theirs: tuple[str, int | None]) -> str:
    one, other = _of(where, ours), _of(where, theirs)
    jitter, error = (one[name]["mean"] / other[name]["mean"] for name in ("jitter", "error"))
    return f"{jitter:.2f}, {error:.2f} ({one['late']['mean']:.1f}, {other['late']['mean']:.1f})"
