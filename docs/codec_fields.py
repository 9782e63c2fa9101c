"""Arrows of vector fields: offsets from cells to points, and directions along bones."""

from __future__ import annotations

import numpy as np
from codec_panels import COLOURS, INK, SHOWN, Array, Image, Panel

from posekit.geometry.grid import Grid
from posekit.visualize.palette import wheel


def offsets_panel(image: Image, xy: Array, field: Array, grid: Grid) -> Panel:
    """Arrows from cells to the shown point that lies furthest from a cell centre, in a window around the point.

    A thin line has the full length of the offset, its arrow 60 % of it.

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
    offsets, cells = own[:, rows, columns].T, np.stack([columns, rows], -1).astype(np.float64)
    if len(field) == 2:
        # The cells of other points hold the offsets to those.
        near = np.abs(grid.pixels(cells) - xy[k]).max(-1) < max(grid.scale)
        offsets, cells = offsets[near], cells[near]
    starts, length = leading(cells, offsets, xy[k], grid)
    reach = max(2.5 * max(grid.scale), float(np.abs(starts - xy[k]).max(initial=0)) + 6)
    x, y = xy[k]
    panel = Panel(image, (x - reach, y - reach, x + reach, y + reach))
    lattice(panel, grid)
    for start, offset in zip(starts, offsets, strict=True):
        panel.line(start, start + length * offset, colour, 1)
        panel.arrow(start, start + 0.6 * length * offset, INK, 2)
    panel.dot(xy[k], colour)
    return panel


def leading(cells: Array, offsets: Array, point: Array, grid: Grid) -> tuple[Array, float]:
    """Starts of the arrows (cell centres or corners) and pixels per unit, whichever lead to ``point`` best."""
    tried = [grid.pixels(cells), grid.pixels(cells - 0.5)]
    lengths = [unit(starts, offsets, point) for starts in tried]
    off = [float(np.abs(point - s - n * offsets).sum()) for s, n in zip(tried, lengths, strict=True)]
    best = int(np.argmin(off))
    return tried[best], lengths[best]


def unit(starts: Array, offsets: Array, point: Array) -> float:
    """Pixels per unit of a field whose arrows lead from ``starts`` to ``point``, by least squares."""
    return float(((point - starts) * offsets).sum()) / max(float((offsets**2).sum()), 1e-12)


def lattice(panel: Panel, grid: Grid) -> None:
    """A dot at the centre of every cell."""
    columns, rows = grid.axes(np.zeros(1))
    for x in columns[(columns > panel.x0) & (columns < panel.x1)]:
        for y in rows[(rows > panel.y0) & (rows < panel.y1)]:
            panel.dot((x, y), (255, 255, 255), 1)


def directions_panel(image: Image, field: Array, grid: Grid) -> Panel:
    """Arrows along bones, one colour for each bone, in every other cell."""
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
