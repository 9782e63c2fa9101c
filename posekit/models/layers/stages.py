"""The last block at each resolution of a backbone."""

from __future__ import annotations

from collections.abc import Sequence


def stage_ends(strides: Sequence[int], finest: int = 4) -> dict[int, int]:
    """Index of the last block of each resolution, by its stride in pixels.

    Args:
        strides: strides of the blocks, in order.
        finest: smallest stride that is returned.

    >>> stage_ends((2, 1, 2, 1, 2))
    {4: 3, 8: 4}
    """
    ends: dict[int, int] = {}
    total = 1
    for index, stride in enumerate(strides):
        total *= stride
        if total >= finest:
            ends[total] = index
    return ends
