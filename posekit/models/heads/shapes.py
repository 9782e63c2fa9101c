"""The output shapes of each head, and the check against a codec's shapes."""

from __future__ import annotations

from collections.abc import Mapping

# Number of axes, without the batch, of the outputs of a head: (C, H, W) or (K, D).
AXES = {"maps": 3, "pooled": 2, "simcc": 2}


def refuse_other(shapes: Mapping[str, tuple[int, ...]], head: str) -> None:
    """Check that ``head`` can produce these shapes.

    Raises:
        ValueError: there are no shapes, or one has another number of axes; the message names heads that fit.
    """
    if not shapes:
        raise ValueError("a head needs at least one map to give; got no shapes")
    for name, shape in shapes.items():
        if len(shape) != AXES[head]:
            others = [repr(other) for other, axes in AXES.items() if axes == len(shape)]
            fix = f"use the head {' or '.join(others)}" if others else "no head here gives it"
            wanted = "(C, H, W)" if AXES[head] == 3 else "(K, D)"
            raise ValueError(f"the head {head!r} gives shapes {wanted} and {name!r} is {tuple(shape)}: {fix}")
