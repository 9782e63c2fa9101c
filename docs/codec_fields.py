"""Arrows of fields: ways from cells to points, and directions along bones."""

from __future__ import annotations

import numpy as np
from codec_panels import COLOURS, SHOWN, Array, Image, Panel

from posekit.geometry.grid import Grid
from posekit.visualize.palette import wheel

REACH = 20.0
"""Half the side of the zoomed window around a point, image pixels, where a field is as small as that."""


def ways_panel(image: Image, xy: Array, field: Array, grid: Grid) -> Panel:
    """Arrows from cells to the first shown point, as long as they lead; the window is around that point."""
    k = SHOWN[1]
    rows, columns = np.nonzero(np.abs(field[2 * k : 2 * k + 2]).sum(0) > 1e-6)
    starts = grid.pixels(np.stack([columns, rows], -1).astype(np.float64))
    says = field[2 * k : 2 * k + 2, rows, columns].T
    reach = max(REACH, float(np.abs(starts - xy[k]).max()) + 6) if len(starts) else REACH
    x, y = xy[k]
    panel = Panel(image, (x - reach, y - reach, x + reach, y + reach))
    lattice(panel, grid)
    length = unit(starts, says, xy[k])
    for start, way in zip(starts, says, strict=True):
        panel.arrow(start, start + length * way, COLOURS[1], 3)
    panel.dot(xy[k], COLOURS[1])
    return panel


def unit(starts: Array, says: Array, point: Array) -> float:
    """Pixels a unit of a field whose arrows lead to ``point``, or three quarters of a cell where they do not."""
    truth, square = point - starts, float((says**2).sum())
    length = float((truth * says).sum()) / max(square, 1e-12)
    off = float(np.abs(truth - length * says).mean()) if len(says) else 0.0
    return length if off < 1.0 else 3.0


def lattice(panel: Panel, grid: Grid) -> None:
    """A dot in the middle of every cell."""
    columns, rows = grid.axes(np.zeros(1))
    for x in columns[(columns > panel.x0) & (columns < panel.x1)]:
        for y in rows[(rows > panel.y0) & (rows < panel.y1)]:
            panel.dot((x, y), (255, 255, 255), 1)


def directions_panel(image: Image, field: Array, grid: Grid, every: int = 1) -> Panel:
    """Arrows along bones, a colour a bone."""
    panel = Panel(image)
    count = len(field) // 2
    for number, colour in enumerate(wheel(count)):
        both = field[2 * number : 2 * number + 2]
        rows, columns = np.nonzero(np.abs(both).sum(0) > 1e-6)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if (row + column) % (2 * every) == 0:
                start = grid.pixels(np.array([column, row], np.float64))
                half = both[:, row, column] * grid.scale[0] * 0.9
                panel.arrow(start - half, start + half, colour, 2)
    return panel
