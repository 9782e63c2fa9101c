"""Which of a backbone's maps a neck starts from."""

from __future__ import annotations

from collections.abc import Sequence


def halvings(coarse: int, fine: int) -> int:
    """How often stride ``coarse`` is halved to reach ``fine``.

    Raises:
        ValueError: it never is.
    """
    times = (coarse // fine).bit_length() - 1
    if coarse < fine or fine << times != coarse:
        reachable = [coarse >> n for n in range(coarse.bit_length()) if coarse % (1 << n) == 0]
        raise ValueError(
            f"maps of stride {fine} are wanted, the backbone ends at stride {coarse}: doubling its map gives strides "
            f"{', '.join(map(str, reachable))}"
        )
    return times


def by_stride(strides: Sequence[int]) -> dict[int, int]:
    """Index of the last map of each stride."""
    return {stride: index for index, stride in enumerate(strides)}
