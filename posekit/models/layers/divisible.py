"""Channel counts that hardware likes."""

from __future__ import annotations


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round a channel count to a multiple of ``divisor``, never below it and never below 90 % of the count.

    >>> make_divisible(32 * 0.35), make_divisible(24 * 0.5), make_divisible(12)
    (16, 16, 16)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
