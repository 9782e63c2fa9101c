"""The forms of INT8, the fastest first: all layers, all but the most sensitive, or the weights alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

TIGHT = "pck@0.05"
"""Metric that shows what INT8 costs: the share of points within 5 % of the box."""
COMPARED = (TIGHT, "AP")
"""Metrics that may not lose more than allowed, where they can be measured."""
LEAST = 0.05
"""PCK@0.05 or AP of the original from which they show what INT8 costs."""
SHARES = (0.05, 0.1, 0.2, 0.4)
"""Shares of the layers that stay in 32 bits, tried one after the other."""


@dataclass(frozen=True)
class Choice:
    """One of the forms that INT8 may take.

    Args:
        name: in words.
        precision: of the file: ``int8`` or ``int8-weights``, or ``fp16``, which is measured but not written as INT8.
        floats: names of the layers that stay in 32 bits.
    """

    name: str
    precision: str = "int8"
    floats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A choice that was written and measured.

    Args:
        choice: what.
        figures: its metrics.
        faults: what it loses, in words; empty for the one that is kept.
    """

    choice: Choice
    figures: Mapping[str, float]
    faults: tuple[str, ...]


EVERYTHING = Choice("all layers in 8 bits")
TRAINED = Choice("8 bits as in training")
WEIGHTS = Choice("weights in 8 bits, computed in 32: smaller, not faster", "int8-weights")
HALF = Choice("weights in 16 bits (--half)", "fp16")


def choices(sensitivities: Callable[[], Mapping[str, float]]) -> Iterator[Choice]:
    """The choices, the fastest first; sensitivities are only measured when the first does not do.

    Args:
        sensitivities: gives what each layer costs.
    """
    yield EVERYTHING
    costs = sensitivities()
    ranked = sorted(costs, key=lambda name: -costs[name])
    for count in sorted({math.ceil(share * len(ranked)) for share in SHARES} - {0, len(ranked)}):
        yield Choice(f"{count} of {len(ranked)} layers in 32 bits", floats=tuple(ranked[:count]))
    yield WEIGHTS


def too_low(before: Mapping[str, float], after: Mapping[str, float], max_drop: float) -> list[str]:
    """Which metrics lose more than allowed, in words; and that none could be measured.

    Args:
        before: metrics of the original.
        after: of the file; a missing one counts as lost.
        max_drop: largest loss.
    """
    return unmeasurable(before) or [
        f"{key} falls by {before[key] - new:.4f}, more than --max-drop {max_drop:g} ({before[key]:.4f} to {new:.4f})"
        for key, new in ((key, after.get(key, float("nan"))) for key in COMPARED if key in before)
        if not before[key] - new <= max_drop
    ]


def unmeasurable(before: Mapping[str, float]) -> list[str]:
    """Why the metrics of the original show nothing of what INT8 costs, in words; empty if they do."""
    compared = [key for key in COMPARED if key in before]
    if not compared:
        return [f"neither {' nor '.join(COMPARED)} can be measured on these labels, so nothing shows what INT8 costs"]
    if max(before[key] for key in compared) < LEAST:
        told = ", ".join(f"{key} {before[key]:.4f}" for key in compared)
        return [
            f"the original itself finds too little on these labels to show what INT8 costs ({told}): give labels of "
            "the kind that it was trained on (--images, or --int8)"
        ]
    return []


def change(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """The compared metrics before and after, in words."""
    return ", ".join(
        f"{key} {before[key]:.4f} to {after.get(key, float('nan')):.4f}" for key in COMPARED if key in before
    )
