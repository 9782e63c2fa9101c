"""Channel counts rounded to multiples, for fast kernels."""

from __future__ import annotations


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round a channel count to a multiple of ``divisor``, at least ``divisor`` and at least 90 % of the count.

    >>> make_divisible(32 * 0.35), make_divisible(24 * 0.5), make_divisible(12)
    (16, 16, 16)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
