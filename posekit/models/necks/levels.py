"""Strides of a backbone's maps, for necks."""

from __future__ import annotations

from collections.abc import Sequence


def halvings(coarse: int, fine: int) -> int:
    """How often stride ``coarse`` must be halved to reach ``fine``.

    Raises:
        ValueError: ``coarse`` is not ``fine`` times a power of 2.
    """
    times = (coarse // fine).bit_length() - 1
    if coarse < fine or fine << times != coarse:
        reachable = [coarse >> n for n in range(coarse.bit_length()) if coarse % (1 << n) == 0]
        raise ValueError(
            f"the maps need stride {fine}, but upsampling the backbone's last map (stride {coarse}) by powers of 2 "
            f"gives strides {', '.join(map(str, reachable))}"
        )
    return times


def by_stride(strides: Sequence[int]) -> dict[int, int]:
    """Index of the last map of each stride."""
    return {stride: index for index, stride in enumerate(strides)}
