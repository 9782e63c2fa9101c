"""Line charts as SVG text: no plotting library, no scripts, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

Points = Sequence[tuple[float, float]]

PALETTE = ("#3b82f6", "#f97316", "#10b981", "#e11d48", "#8b5cf6", "#d4a106", "#06b6d4", "#db5fb5")
"""Colours of the curves, told apart on white and on black."""

WIDTH, HEIGHT = 460, 280
_LEFT, _RIGHT, _BOTTOM = 56, 14, 40
_ROW = 17
"""Height of a line of the legend."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within ``[low, high]``: steps of 1, 2 or 5 times a power of ten, about ``count`` of them.

    >>> ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within ``[low, high]``, with 2 and 5 times them where there are fewer than three."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in ((1,), (1, 2, 5)):
        found = [float(f"{m * 10.0**p:.12g}") for p in powers for m in multiples if low <= m * 10.0**p <= high]
        if len(found) >= 3:
            break
    return found or [low, high]


def short(value: float) -> str:
    """A number as an axis wants it: 12k, 3.5M, 0.25, 2e-5.

    >>> short(12000.0), short(0.25)
    ('12k', '0.25')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.4g}"


def line_chart(
    title: str,
    series: Mapping[str, Points],
    *,
    x_label: str = "",
    y_label: str = "",
    log: bool = False,
    gaps: bool = False,
) -> str:
    """Draw named curves over common axes.

    Args:
        title: above the chart.
        series: points (x, y) of each curve, in the order of x; points that are not finite, and with ``log`` those
            that are not positive, are left out. A single point becomes a dot.
        x_label: below the axis.
        y_label: beside the axis.
        log: logarithmic y axis.
        gaps: break a curve at the points that are left out, instead of drawing a line across.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.
    """
    curves = {name: _runs(points, log, gaps) for name, points in series.items()}
    everything = [p for runs in curves.values() for run in runs for p in run]
    top = 30 + _ROW * len(_legend_rows(list(curves)))
    parts = [f'<text x="{_LEFT}" y="18" font-size="14" font-weight="600">{escape(title)}</text>', _legend(list(curves))]
    if everything:
        parts += _plot(curves, _Frame.around(everything, top, log), x_label, y_label)
    else:
        parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle" opacity="0.6">no data</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


def _plottable(point: tuple[float, float], log: bool) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1]) and (not log or point[1] > 0)


def _runs(points: Points, log: bool, gaps: bool) -> list[list[tuple[float, float]]]:
    """The pieces of a curve that can be drawn; one without gaps."""
    if not gaps:
        return [[p for p in points if _plottable(p, log)]]
    grouped = groupby(points, key=lambda point: _plottable(point, log))
    return [list(run) for good, run in grouped if good]


class _Frame:
    """From data to the locations of an SVG."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], top: float, log: bool) -> None:
        self.x, self.y, self.top, self.log = x, y, top, log

    @classmethod
    def around(cls, points: Points, top: float, log: bool) -> _Frame:
        """The frame that holds all points with a little air above and below."""
        xs, ys = [p[0] for p in points], [math.log10(p[1]) if log else p[1] for p in points]
        low, high = min(ys), max(ys)
        air = (high - low) * 0.05 or (abs(high) * 0.1 or 1.0)
        left, right = min(xs), max(xs)
        return cls((left, right) if right > left else (left - 0.5, right + 0.5), (low - air, high + air), top, log)

    def across(self, x: float) -> float:
        share = (x - self.x[0]) / (self.x[1] - self.x[0])
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 2)

    def down(self, y: float) -> float:
        value = math.log10(y) if self.log else y
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _BOTTOM - self.top), 2)

    def y_ticks(self) -> list[float]:
        return log_ticks(10 ** self.y[0], 10 ** self.y[1]) if self.log else ticks(*self.y)


def _plot(curves: Mapping[str, Sequence[Points]], frame: _Frame, x_label: str, y_label: str) -> list[str]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for y in frame.y_ticks():
        at = frame.down(y)
        parts.append(f'<path d="M{left} {at}H{right}" stroke="currentColor" stroke-opacity="0.14"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4}" text-anchor="end" opacity="0.75">{short(y)}</text>')
    for x in ticks(*frame.x):
        at = frame.across(x)
        parts.append(f'<path d="M{at} {bottom}v4" stroke="currentColor" stroke-opacity="0.5"/>')
        parts.append(f'<text x="{at}" y="{bottom + 17}" text-anchor="middle" opacity="0.75">{short(x)}</text>')
    parts.append(f'<path d="M{left} {frame.top}V{bottom}H{right}" fill="none" stroke="currentColor" opacity="0.5"/>')
    middle = (frame.top + bottom) / 2
    parts.append(_label(x_label, f'x="{(left + right) / 2}" y="{HEIGHT - 6}"'))
    parts.append(_label(y_label, f'x="12" y="{middle}" transform="rotate(-90 12 {middle})"'))
    for index, runs in enumerate(curves.values()):
        colour = PALETTE[index % len(PALETTE)]
        parts += [_curve(run, frame, colour, last=n == len(runs) - 1) for n, run in enumerate(runs)]
    return parts


def _label(text: str, place: str) -> str:
    return f'<text {place} text-anchor="middle" opacity="0.75">{escape(text)}</text>' if text else ""


def _curve(points: Points, frame: _Frame, colour: str, last: bool = True) -> str:
    locations = [(frame.across(x), frame.down(y)) for x, y in points]
    if not locations:
        return ""
    end = f'<circle cx="{locations[-1][0]}" cy="{locations[-1][1]}" r="3" fill="{colour}"/>'
    if len(locations) == 1:
        return end
    path = " ".join(f"{x},{y}" for x, y in locations)
    style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"'
    return f'<polyline points="{path}" {style}/>{end if last else ""}'


def _legend_rows(names: Sequence[str]) -> list[list[tuple[int, str]]]:
    """Names with their number, packed into rows; one curve alone needs no legend."""
    rows: list[list[tuple[int, str]]] = []
    used = float(WIDTH)
    for item in enumerate(names) if len(names) > 1 else ():
        wide = _wide(item[1])
        if used + wide > WIDTH - _RIGHT:
            rows.append([])
            used = float(_LEFT)
        rows[-1].append(item)
        used += wide
    return rows


def _wide(name: str) -> float:
    return 30 + 6.6 * len(name)


def _legend(names: Sequence[str]) -> str:
    parts = []
    for row, items in enumerate(_legend_rows(names)):
        x, y = float(_LEFT), 36 + row * _ROW
        for index, name in items:
            colour = PALETTE[index % len(PALETTE)]
            parts.append(f'<rect x="{x:.1f}" y="{y - 7}" width="12" height="4" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{x + 17:.1f}" y="{y}">{escape(name)}</text>')
            x += _wide(name)
    return "".join(parts)
