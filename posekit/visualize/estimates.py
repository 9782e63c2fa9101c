"""A row for each method: its value, its interval, and a line through the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from posekit.visualize.charts import PALETTE, short, ticks

WIDTH, ROW = 480, 24
_LEFT, _RIGHT, _TOP, _BOTTOM = 128, 58, 34, 42


def estimate_chart(title: str, rows: Mapping[str, tuple[float, float, float]], x_label: str = "") -> str:
    """Draw estimates with their intervals.

    Args:
        title: above the chart.
        rows: value, lower and upper end by name, the best first; NaN ends: no interval; NaN value: not measured.
        x_label: below the axis.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError("a chart of estimates needs at least one row; got none")
    known = [value for row in rows.values() for value in row if math.isfinite(value)] or [0.0, 1.0]
    air = (max(known) - min(known)) * 0.06 or abs(max(known)) * 0.1 or 1.0
    low, high = min(known) - air, max(known) + air
    height = _TOP + ROW * len(rows) + _BOTTOM

    def across(value: float) -> float:
        return round(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT), 2)

    bottom = height - _BOTTOM
    parts = [f'<text x="14" y="20" font-size="14" font-weight="600">{escape(title)}</text>']
    for x in ticks(low, high):
        parts.append(f'<path d="M{across(x)} {_TOP}V{bottom}" stroke="currentColor" stroke-opacity="0.14"/>')
        parts.append(f'<text x="{across(x)}" y="{bottom + 17}" text-anchor="middle" opacity="0.75">{short(x)}</text>')
    first = next(iter(rows.values()))[0]
    if math.isfinite(first):
        line = 'stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="4 4"'
        parts.append(f'<path d="M{across(first)} {_TOP}V{bottom}" {line}/>')
    for index, (name, (value, least, most)) in enumerate(rows.items()):
        y, colour = _TOP + ROW * index + ROW / 2, PALETTE[index % len(PALETTE)]
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(_cut(name))}</text>')
        if math.isfinite(least) and math.isfinite(most):
            parts.append(
                f'<path d="M{across(least)} {y}H{across(most)}" stroke="{colour}" stroke-width="3" opacity="0.6"/>'
            )
        if math.isfinite(value):
            parts.append(f'<circle cx="{across(value)}" cy="{y}" r="4.5" fill="{colour}"/>')
        said = f"{value:.4g}" if math.isfinite(value) else "none"
        parts.append(f'<text x="{WIDTH - _RIGHT + 8}" y="{y + 4}" opacity="0.75">{said}</text>')
    parts.append(f'<text x="{_LEFT}" y="{height - 8}" opacity="0.75">{escape(x_label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


def _cut(name: str, most: int = 16) -> str:
    return name if len(name) <= most else name[: most - 3] + "..."
