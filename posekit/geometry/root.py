"""The root of a skeleton: where depths are 0."""

from __future__ import annotations

ROOTS = (("pelvis",), ("left_hip", "right_hip"))
"""Names of points that are the root where a skeleton has them; the first that fits."""


def root_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """Points whose mean is the root of depths: the pelvis, else both hips, else all points.

    Args:
        names: of the points.

    >>> root_of(("head", "left_hip", "right_hip"))
    (1, 2)
    """
    for wanted in ROOTS:
        if set(wanted) <= set(names):
            return tuple(names.index(name) for name in wanted)
    return tuple(range(len(names)))
