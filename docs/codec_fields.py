"""Arrows of fields: ways from cells to points, and directions along bones."""

from __future__ import annotations

import numpy as np
from codec_panels import COLOURS, INK, SHOWN, Array, Image, Panel

from posekit.geometry.grid import Grid
from posekit.visualize.palette import wheel


def ways_panel(image: Image, xy: Array, field: Array, grid: Grid) -> Panel:
    """Arrows from cells to the shown point that lies furthest from all middles of cells, in a window around it.

    A thin line goes all the way, its arrow more than half of it.

    Args:
        image: of the figure.
        xy: (K, 2) image pixels.
        field: (2 K, H, W), x and y of each point in turn, or (2, H, W) where all points share it.
        grid: of the field.
    """
    cells = grid.cells(xy[list(SHOWN)])
    number = int(np.abs(cells - np.rint(cells)).sum(-1).argmax())
    k, colour = SHOWN[number], COLOURS[number]
    own = field if len(field) == 2 else field[2 * k : 2 * k + 2]
    rows, columns = np.nonzero(np.abs(own).sum(0) > 1e-6)
    says, cells = own[:, rows, columns].T, np.stack([columns, rows], -1).astype(np.float64)
    if len(field) == 2:
        # The other points' cells lead to them.
        near = np.abs(grid.pixels(cells) - xy[k]).max(-1) < max(grid.scale)
        says, cells = says[near], cells[near]
    starts, length = leading(cells, says, xy[k], grid)
    reach = max(2.5 * max(grid.scale), float(np.abs(starts - xy[k]).max(initial=0)) + 6)
    x, y = xy[k]
    panel = Panel(image, (x - reach, y - reach, x + reach, y + reach))
    lattice(panel, grid)
    for start, way in zip(starts, says, strict=True):
        panel.line(start, start + length * way, colour, 1)
        panel.arrow(start, start + 0.6 * length * way, INK, 2)
    panel.dot(xy[k], colour)
    return panel


def leading(cells: Array, says: Array, point: Array, grid: Grid) -> tuple[Array, float]:
    """Where arrows start, middles or corners of cells, and the pixels a unit: whichever leads to ``point`` best."""
    tried = [grid.pixels(cells), grid.pixels(cells - 0.5)]
    lengths = [unit(starts, says, point) for starts in tried]
    off = [float(np.abs(point - s - n * says).sum()) for s, n in zip(tried, lengths, strict=True)]
    best = int(np.argmin(off))
    return tried[best], lengths[best]


def unit(starts: Array, says: Array, point: Array) -> float:
    """Pixels a unit of a field whose arrows lead from ``starts`` to ``point``, in least squares."""
    return float(((point - starts) * says).sum()) / max(float((says**2).sum()), 1e-12)


def lattice(panel: Panel, grid: Grid) -> None:
    """A dot in the middle of every cell."""
    columns, rows = grid.axes(np.zeros(1))
    for x in columns[(columns > panel.x0) & (columns < panel.x1)]:
        for y in rows[(rows > panel.y0) & (rows < panel.y1)]:
            panel.dot((x, y), (255, 255, 255), 1)


def directions_panel(image: Image, field: Array, grid: Grid) -> Panel:
    """Arrows along bones, a colour a bone, in every other cell."""
    panel = Panel(image)
    count = len(field) // 2
    for number, colour in enumerate(wheel(count)):
        both = field[2 * number : 2 * number + 2]
        rows, columns = np.nonzero(np.abs(both).sum(0) > 1e-6)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if (row + column) % 2 == 0:
                start = grid.pixels(np.array([column, row], np.float64))
                half = both[:, row, column] * grid.scale[0] * 0.9
                panel.arrow(start - half, start + half, colour, 2)
    return panel
