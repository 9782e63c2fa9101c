"""Accuracy against cost: a point with its interval for each method, and the front of those that no other one beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from posekit.visualize.charts import PALETTE, log_ticks, short, ticks

WIDTH, HEIGHT = 480, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 96, 34, 44
_STEEP = 4.0
"""Costs with a larger ratio of the largest to the smallest get a logarithmic axis."""
_LINE = 15.0
"""Least distance of two labels, pixels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A method.

    Args:
        name: beside its point.
        cost: such as milliseconds, positive.
        value: of the metric.
        low: lower end of its interval; NaN: none.
        high: upper end.
    """

    name: str
    cost: float
    value: float
    low: float = math.nan
    high: float = math.nan


def front(marks: Sequence[Mark], higher: bool) -> list[str]:
    """Names of the methods that no other one equals or beats in both, from the cheapest on.

    >>> front([Mark("a", 1, 0.5), Mark("b", 2, 0.7), Mark("c", 3, 0.6)], higher=True)
    ['a', 'b']
    """
    kept: list[Mark] = []
    sign = 1 if higher else -1
    for mark in sorted(marks, key=lambda mark: (mark.cost, -sign * mark.value)):
        if not kept or sign * mark.value > sign * kept[-1].value:
            kept.append(mark)
    return [mark.name for mark in kept]


def trade_off_chart(
    title: str, marks: Sequence[Mark], higher: bool, x_label: str, y_label: str, chosen: str = ""
) -> str:
    """Draw methods by cost and accuracy, with the front as a line.

    Args:
        title: above the chart.
        marks: methods; those whose cost or value is not finite, or whose cost is not positive, are left out.
        higher: whether higher values are better.
        x_label: below the axis.
        y_label: beside the axis.
        chosen: name of a method that gets a ring.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.
    """
    known = [m for m in marks if math.isfinite(m.cost) and m.cost > 0 and math.isfinite(m.value)]
    parts = [f'<text x="{_LEFT}" y="20" font-size="14" font-weight="600">{escape(title)}</text>']
    if known:
        parts += _drawn(known, higher, x_label, y_label, chosen)
    else:
        parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle" opacity="0.6">no data</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


class _Scale:
    """From values to pixels of one axis."""

    def __init__(self, values: Sequence[float], start: float, end: float, log: bool) -> None:
        self.log, self.start, self.end = log, start, end
        at = [math.log10(value) if log else value for value in values]
        air = (max(at) - min(at)) * 0.08 or abs(max(at)) * 0.1 or 1.0
        self.low, self.high = min(at) - air, max(at) + air

    def __call__(self, value: float) -> float:
        at = math.log10(value) if self.log else value
        return round(self.start + (at - self.low) / (self.high - self.low) * (self.end - self.start), 2)

    def ticks(self) -> list[float]:
        return log_ticks(10**self.low, 10**self.high) if self.log else ticks(self.low, self.high)


def _drawn(marks: Sequence[Mark], higher: bool, x_label: str, y_label: str, chosen: str) -> list[str]:
    costs = [m.cost for m in marks]
    values = [v for m in marks for v in (m.value, m.low, m.high) if math.isfinite(v)]
    across = _Scale(costs, _LEFT, WIDTH - _RIGHT, max(costs) > _STEEP * min(costs))
    down = _Scale(values, HEIGHT - _BOTTOM, _TOP, log=False)
    parts = _axes(across, down, x_label, y_label)
    named = {m.name: m for m in marks}
    path = " ".join(f"{across(named[name].cost)},{down(named[name].value)}" for name in front(marks, higher))
    parts.append(
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-opacity="0.45" stroke-dasharray="5 4"/>'
    )
    labels = _label_heights({m.name: down(m.value) for m in marks})
    for index, mark in enumerate(marks):
        parts += _mark(
            mark, across(mark.cost), down, PALETTE[index % len(PALETTE)], labels[mark.name], mark.name == chosen
        )
    return parts


def _axes(across: _Scale, down: _Scale, x_label: str, y_label: str) -> list[str]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for y in down.ticks():
        parts.append(f'<path d="M{left} {down(y)}H{right}" stroke="currentColor" stroke-opacity="0.14"/>')
        parts.append(f'<text x="{left - 6}" y="{down(y) + 4}" text-anchor="end" opacity="0.75">{short(y)}</text>')
    for x in across.ticks():
        parts.append(f'<path d="M{across(x)} {bottom}v4" stroke="currentColor" stroke-opacity="0.5"/>')
        parts.append(f'<text x="{across(x)}" y="{bottom + 17}" text-anchor="middle" opacity="0.75">{short(x)}</text>')
    middle = (_TOP + bottom) / 2
    return [
        *parts,
        f'<path d="M{left} {_TOP}V{bottom}H{right}" fill="none" stroke="currentColor" opacity="0.5"/>',
        f'<text x="{(left + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle" opacity="0.75">{escape(x_label)}</text>',
        f'<text x="14" y="{middle}" transform="rotate(-90 14 {middle})" text-anchor="middle" opacity="0.75">'
        f"{escape(y_label)}</text>",
    ]


def _mark(mark: Mark, x: float, down: _Scale, colour: str, label: float, chosen: bool) -> list[str]:
    y = down(mark.value)
    edge = WIDTH - _RIGHT
    parts = []
    if math.isfinite(mark.low) and math.isfinite(mark.high):
        parts.append(
            f'<path d="M{x} {down(mark.low)}V{down(mark.high)}" stroke="{colour}" stroke-width="2" opacity="0.55"/>'
        )
    parts.append(f'<path d="M{x} {y}L{edge + 4} {label}" stroke="{colour}" stroke-opacity="0.3" stroke-width="1"/>')
    parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
    if chosen:
        parts.append(f'<circle cx="{x}" cy="{y}" r="9" fill="none" stroke="{colour}" stroke-width="2"/>')
    weight = ' font-weight="600"' if chosen else ""
    parts.append(f'<text x="{edge + 8}" y="{label + 4}"{weight}>{escape(mark.name)}</text>')
    return parts


def _label_heights(wanted: Mapping[str, float]) -> dict[str, float]:
    """Heights of labels in one column, near the wanted ones, at least `_LINE` apart and inside the chart."""
    order = sorted(wanted, key=lambda name: wanted[name])
    heights: dict[str, float] = {}
    above = -math.inf
    for name in order:
        above = max(wanted[name], above + _LINE)
        heights[name] = above
    below = HEIGHT - _BOTTOM + _LINE
    for name in reversed(order):
        below = min(heights[name], below - _LINE)
        heights[name] = round(below, 2)
    return heights
