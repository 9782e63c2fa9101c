"""Groups of horizontal bars as SVG text: a group a variant, a bar for each of its values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape

from posekit.visualize.charts import PALETTE, short, ticks

WIDTH, BAR = 460, 13
_LEFT, _RIGHT, _BOTTOM = 150, 56, 40
_LINE = 17
"""Height of a line of the legend."""
_BETWEEN = 8


def grouped_bars(title: str, groups: Mapping[str, Mapping[str, float]], x_label: str = "") -> str:
    """Draw bars from 0, one colour for each name within a group.

    Args:
        title: above the chart.
        groups: for each group its values by name, at least 0; all groups have the names of the first. A value that is
            not finite is said to be missing.
        x_label: below the axis.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.

    Raises:
        ValueError: there is no group, or groups differ in their names.
    """
    if not groups:
        raise ValueError("a chart of bars needs at least one group; got none")
    names = list(next(iter(groups.values())))
    for group, values in groups.items():
        if list(values) != names:
            raise ValueError(f"group {group!r} has the values {list(values)}, the first group {names}")
    top = max((v for values in groups.values() for v in values.values() if math.isfinite(v)), default=1.0) or 1.0
    legend = _legend_rows(names)
    start = 39 + _LINE * len(legend)
    tall = BAR * len(names) + _BETWEEN
    floor = start + tall * len(groups)

    def across(value: float) -> float:
        return round(_LEFT + value / top * (WIDTH - _LEFT - _RIGHT), 2)

    parts = [f'<text x="12" y="18" font-size="14" font-weight="600">{escape(title)}</text>', _legend(legend)]
    for x in ticks(0.0, top):
        at = across(x)
        parts.append(f'<path d="M{at} {start}V{floor}" stroke="currentColor" stroke-opacity="0.14"/>')
        parts.append(f'<text x="{at}" y="{floor + 16}" text-anchor="middle" opacity="0.75">{short(x)}</text>')
    for number, (group, values) in enumerate(groups.items()):
        y = start + number * tall
        middle = y + BAR * len(names) / 2
        parts.append(f'<text x="{_LEFT - 10}" y="{middle + 4}" text-anchor="end">{escape(group)}</text>')
        for line, value in enumerate(values.values()):
            parts.append(_bar(value, y + line * BAR, across, PALETTE[line % len(PALETTE)]))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    height = floor + _BOTTOM
    parts.append(f'<text x="{middle}" y="{height - 6}" text-anchor="middle" opacity="0.75">{escape(x_label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


def _bar(value: float, y: float, across: Callable[[float], float], colour: str) -> str:
    if not math.isfinite(value):
        return f'<text x="{_LEFT + 4}" y="{y + 10}" font-size="10" opacity="0.6">not reached</text>'
    end = across(value)
    return (
        f'<rect x="{_LEFT}" y="{y + 1}" width="{round(end - _LEFT, 2)}" height="{BAR - 2}" fill="{colour}"/>'
        f'<text x="{end + 4}" y="{y + 10}" font-size="10" opacity="0.75">{value:.3g}</text>'
    )


def _legend_rows(names: list[str]) -> list[list[tuple[float, str, str]]]:
    """Names with their location along x and their colour, packed into rows; one name alone needs no legend."""
    rows: list[list[tuple[float, str, str]]] = []
    x = float(WIDTH)
    for number, name in enumerate(names if len(names) > 1 else ()):
        wide = 30 + 6.6 * len(name)
        if x + wide > WIDTH:
            rows.append([])
            x = float(_LEFT)
        rows[-1].append((x, name, PALETTE[number % len(PALETTE)]))
        x += wide
    return rows


def _legend(rows: list[list[tuple[float, str, str]]]) -> str:
    parts = []
    for line, row in enumerate(rows):
        y = 31 + _LINE * line
        for x, name, colour in row:
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="12" height="6" fill="{colour}"/>')
            parts.append(f'<text x="{x + 17:.1f}" y="{y + 7}">{escape(name)}</text>')
    return "".join(parts)
