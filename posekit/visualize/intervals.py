"""A row a variant: its mean, how far its repeats lie apart, and a line through the one they are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from posekit.visualize.charts import PALETTE, short, ticks

WIDTH, ROW = 640, 26
_LEFT, _RIGHT, _TOP, _BOTTOM = 170, 70, 34, 40


def interval_chart(title: str, rows: Mapping[str, Sequence[float]], x_label: str = "") -> str:
    """Draw the values of variants in rows; the first is the one that all others are compared with.

    Args:
        title: above the chart.
        rows: values of each variant's repeats, at least one each; those that are not finite are left out.
        x_label: below the axis.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError("a chart of intervals wants at least one row; got none")
    values = {name: [v for v in row if math.isfinite(v)] for name, row in rows.items()}
    everything = [v for row in values.values() for v in row] or [0.0, 1.0]
    low, high = min(everything), max(everything)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low, high = low - air, high + air
    height = _TOP + ROW * len(rows) + _BOTTOM

    def across(value: float) -> float:
        return round(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT), 2)

    parts = [f'<text x="12" y="18" font-size="14" font-weight="600">{escape(title)}</text>']
    floor = _TOP + ROW * len(rows)
    for x in ticks(low, high):
        at = across(x)
        parts.append(f'<path d="M{at} {_TOP}V{floor}" stroke="currentColor" stroke-opacity="0.14"/>')
        parts.append(f'<text x="{at}" y="{floor + 16}" text-anchor="middle" opacity="0.75">{short(x)}</text>')
    first = next(iter(values.values()))
    if first:
        at = across(sum(first) / len(first))
        parts.append(f'<path d="M{at} {_TOP}V{floor}" stroke="{PALETTE[0]}" stroke-dasharray="4 3"/>')
    for number, (name, row) in enumerate(values.items()):
        parts += _row(name, row, _TOP + ROW * number + ROW / 2, across, PALETTE[min(number, 1)])
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{height - 6}" text-anchor="middle" opacity="0.75">{escape(x_label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


def _row(name: str, values: Sequence[float], y: float, place: Callable[[float], float], colour: str) -> list[str]:
    parts = [f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>']
    if not values:
        return [*parts, f'<text x="{_LEFT + 6}" y="{y + 4}" opacity="0.6">not measured</text>']
    mean = sum(values) / len(values)
    if len(values) > 1:
        parts.append(f'<path d="M{place(min(values))} {y}H{place(max(values))}" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{place(v)}" cy="{y}" r="2" fill="{colour}"/>' for v in values]
    parts.append(f'<circle cx="{place(mean)}" cy="{y}" r="4.5" fill="{colour}"/>')
    parts.append(f'<text x="{WIDTH - _RIGHT + 8}" y="{y + 4}" opacity="0.75">{mean:.4g}</text>')
    return parts
