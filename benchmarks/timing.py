"""Interleaved timing: every candidate once a round, so that a busy moment hits all alike; medians and ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def interleaved(candidates: Mapping[str, Callable[[], Any]], rounds: int = 30, warm: int = 3) -> dict[str, list[float]]:
    """Process CPU milliseconds of every candidate in every round.

    Args:
        candidates: name to a call without arguments.
        rounds: counted.
        warm: rounds before that.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm + rounds):
        for name, call in candidates.items():
            start = time.process_time_ns()
            call()
            spent = (time.process_time_ns() - start) / 1e6
            if number >= warm:
                times[name].append(spent)
    return times


def summary(times: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, least and most of every candidate."""
    return {
        name: {"median_ms": statistics.median(t), "min_ms": min(t), "max_ms": max(t), "rounds": len(t)}
        for name, t in times.items()
    }


def ratio(times: Mapping[str, list[float]], over: str, under: str) -> float:
    """Median over the rounds of one candidate's time divided by another's."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))
