"""Which head gives which shapes, and the refusal of the others."""

from __future__ import annotations

from collections.abc import Mapping

# Number of axes behind the batch of every map that a head gives: (C, H, W) or (K, D).
AXES = {"maps": 3, "pooled": 2, "simcc": 2}


def refuse_other(shapes: Mapping[str, tuple[int, ...]], head: str) -> None:
    """Let through the shapes that ``head`` gives.

    Raises:
        ValueError: none are asked for, or one has another number of axes; names the heads that would do.
    """
    if not shapes:
        raise ValueError("a head needs at least one map to give; got no shapes")
    for name, shape in shapes.items():
        if len(shape) != AXES[head]:
            others = [repr(other) for other, axes in AXES.items() if axes == len(shape)]
            fix = f"use the head {' or '.join(others)}" if others else "no head here gives it"
            wanted = "(C, H, W)" if AXES[head] == 3 else "(K, D)"
            raise ValueError(f"the head {head!r} gives shapes {wanted} and {name!r} is {tuple(shape)}: {fix}")
