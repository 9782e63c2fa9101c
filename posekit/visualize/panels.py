"""Several charts and maps on one SVG page with a white background: no plotting library."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]

GAP = 12
"""Pixels between panels and around the page."""
CELL = 132
"""Side of a drawn map, pixels."""
_HEAD, _NAME = 40, 120


def sheet(panels: Sequence[str], columns: int = 2) -> str:
    """Put panels into rows, from the left, on one page.

    Args:
        panels: ``<svg>`` elements with a ``viewBox``, such as those of `line_chart` and `interval_chart`.
        columns: panels in a row.

    Returns:
        One ``<svg>`` element, dark text on white.

    Raises:
        ValueError: there is no panel, or one has no ``viewBox``.
    """
    if not panels:
        raise ValueError("a sheet needs at least one panel; got none")
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    parts, y, widest = [], GAP, 0
    for row in rows:
        sizes = [_size(panel) for panel in row]
        x = GAP
        for panel, (width, height) in zip(row, sizes, strict=True):
            parts.append(panel.replace("<svg ", f'<svg x="{x}" y="{y}" width="{width}" height="{height}" ', 1))
            x += width + GAP
        widest = max(widest, x)
        y += max(height for _, height in sizes) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {widest} {y}" width="{widest}" height="{y}" '
        f'role="img" color="#1f2328"><rect width="{widest}" height="{y}" fill="#ffffff"/>' + "".join(parts) + "</svg>\n"
    )


def _size(panel: str) -> tuple[int, int]:
    """(width, height) of a panel."""
    found = re.match(r'<svg [^>]*?viewBox="0 0 (\d+) (\d+)"', panel)
    if found is None:
        raise ValueError(f'a panel must be an <svg> with viewBox="0 0 WIDTH HEIGHT"; it starts {panel[:60]!r}')
    return int(found[1]), int(found[2])


def map_grid(
    title: str,
    rows: Mapping[str, Mapping[str, Float]],
    marks: Mapping[str, tuple[float, float]],
    top: float | None = None,
) -> str:
    """Draw maps in a table: a row for each name, a column for each kind.

    Args:
        title: above the table.
        rows: for each row its maps (H, W) by column, non-negative; all rows have the columns of the first.
        marks: for each row the true point in fractions of the map (x, y), drawn as a cross.
        top: value of the brightest colour in all maps; ``None``: the maximum of each map.

    Returns:
        One ``<svg>`` element, which takes the text colour of its page.

    Raises:
        ValueError: there is no row, or rows differ in their columns.
    """
    if not rows:
        raise ValueError("a grid of maps needs at least one row; got none")
    columns = list(next(iter(rows.values())))
    parts = [f'<text x="12" y="18" font-size="14" font-weight="600">{escape(title)}</text>']
    for number, column in enumerate(columns):
        x = _NAME + number * (CELL + GAP) + CELL / 2
        parts.append(f'<text x="{x}" y="{_HEAD - 6}" text-anchor="middle" opacity="0.75">{escape(column)}</text>')
    for line, (name, maps) in enumerate(rows.items()):
        if list(maps) != columns:
            raise ValueError(f"row {name!r} has the columns {list(maps)}, the first row {columns}")
        y = _HEAD + line * (CELL + GAP)
        parts.append(f'<text x="{_NAME - 8}" y="{y + CELL / 2 + 4}" text-anchor="end">{escape(name)}</text>')
        for number, values in enumerate(maps.values()):
            x = _NAME + number * (CELL + GAP)
            parts.append(_picture(values, x, y, top))
            if name in marks:
                parts.append(_cross(x + marks[name][0] * CELL, y + marks[name][1] * CELL))
    width, height = _NAME + len(columns) * (CELL + GAP), _HEAD + len(rows) * (CELL + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


def _picture(values: Float, x: float, y: float, top: float | None) -> str:
    """A map in colours, as a PNG within the SVG."""
    top = float(values.max(initial=0.0)) if top is None else top
    grey = np.clip(np.nan_to_num(values) / top if top > 0 else np.zeros_like(values), 0, 1)
    colours = cv2.applyColorMap((grey * 255).round().astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    data = base64.b64encode(cv2.imencode(".png", colours)[1].tobytes()).decode()
    return (
        f'<image x="{x}" y="{y}" width="{CELL}" height="{CELL}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def _cross(x: float, y: float) -> str:
    return f'<path d="M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12" stroke="#ff3b30" stroke-width="1.5"/>'
