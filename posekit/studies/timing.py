"""Interleaved timing: every candidate once in each round, so that other load affects all alike; medians and ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

Times = dict[str, list[float]]


def cpu_ms(call: Callable[[], Any]) -> float:
    """Process CPU milliseconds of one call."""
    start = time.process_time_ns()
    call()
    return (time.process_time_ns() - start) / 1e6


def interleaved(candidates: Mapping[str, Callable[[], Any]], rounds: int = 30, warm: int = 3) -> Times:
    """Process CPU milliseconds of every candidate in every round.

    Args:
        candidates: name to a call without arguments.
        rounds: timed rounds.
        warm: warm-up rounds before.
    """
    return alternating({name: partial(cpu_ms, call) for name, call in candidates.items()}, rounds, warm)


def alternating(clocks: Mapping[str, Callable[[], float]], rounds: int = 30, warm: int = 3) -> Times:
    """Like `interleaved`, for candidates that time themselves: each call returns its milliseconds."""
    times: Times = {name: [] for name in clocks}
    for number in range(warm + rounds):
        for name, clock in clocks.items():
            spent = clock()
            if number >= warm:
                times[name].append(spent)
    return times


def summary(times: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum of every candidate."""
    return {
        name: {"median_ms": statistics.median(t), "min_ms": min(t), "max_ms": max(t), "rounds": len(t)}
        for name, t in times.items()
    }


def ratio(times: Mapping[str, list[float]], over: str, under: str) -> float:
    """Median over the rounds of one candidate's time divided by another's."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))


def aim(figure: float, *, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    """A figure, its bound, and whether it keeps within the bound."""
    met = (least is None or figure >= least) and (most is None or figure <= most)
    bound = {"at_least": least} if least is not None else {"at_most": most}
    return {"figure": round(figure, 4), **bound, "met": met}
