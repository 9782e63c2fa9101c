"""Panels of the pictures: the example image with training targets drawn over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.skeletons.body import COCO17
from posekit.visualize.palette import Colour, wheel

Image = NDArray[np.uint8]
Array = NDArray[np.floating]

SHOWN = tuple(COCO17.points.index(n) for n in ("nose", "left_wrist", "right_wrist", "left_ankle", "right_ankle"))
"""Points whose maps are drawn: few enough to distinguish them."""
COLOURS = wheel(len(SHOWN))
ENLARGED = 2
"""Integer factor by which panels are drawn larger than shown, for smooth lines."""
HEIGHT = 320
"""Height of a panel as shown, pixels."""
INK: Colour = (40, 40, 48)
PAPER = 250
ROOM = 40
"""Width of the strips beyond the border where bars are drawn, image pixels."""
LEAST = 0.02
"""Fraction of the tallest bar; lower bars are not drawn."""


class Panel:
    """A picture in image pixels, drawn larger."""

    def __init__(self, image: Image, window: tuple[float, float, float, float] | None = None) -> None:
        height, width = image.shape[:2]
        self.x0, self.y0, self.x1, self.y1 = window or (0.0, 0.0, float(width), float(height))
        self.scale = ENLARGED * HEIGHT / (self.y1 - self.y0)
        size = round((self.x1 - self.x0) * self.scale), ENLARGED * HEIGHT
        # warpAffine counts pixel centres from 0; ours lie at halves.
        shift = [self.scale * (0.5 - start) - 0.5 for start in (self.x0, self.y0)]
        matrix = np.array([[self.scale, 0, shift[0]], [0, self.scale, shift[1]]])
        warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self.canvas = np.ascontiguousarray(warped)

    def place(self, xy: Any) -> tuple[int, int]:
        """Image pixels to OpenCV's sixteenths of a canvas pixel."""
        x, y = (float(xy[0]) - self.x0) * self.scale, (float(xy[1]) - self.y0) * self.scale
        return round((x - 0.5) * 16), round((y - 0.5) * 16)

    def line(self, a: Any, b: Any, colour: Colour, thickness: int = 2) -> None:
        """A line between two locations."""
        cv2.line(self.canvas, self.place(a), self.place(b), colour, thickness, cv2.LINE_AA, 4)

    def dot(self, xy: Any, colour: Colour, radius: float = 7) -> None:
        """A disc with a dark rim."""
        cv2.circle(self.canvas, self.place(xy), round((radius + 2) * 16), INK, -1, cv2.LINE_AA, 4)
        cv2.circle(self.canvas, self.place(xy), round(radius * 16), colour, -1, cv2.LINE_AA, 4)

    def arrow(self, a: Any, b: Any, colour: Colour, thickness: int = 2) -> None:
        """A line with a head of a third of its length, at most 9 pixels."""
        start, end = np.array(self.place(a)) / 16, np.array(self.place(b)) / 16
        length = float(np.hypot(*(end - start)))
        if length < 2:
            return
        self.line(a, b, colour, thickness)
        back = (start - end) / length * min(9.0, length / 2)
        for turn in (0.5, -0.5):
            c, s = np.cos(turn), np.sin(turn)
            tip = end + np.array([c * back[0] - s * back[1], s * back[0] + c * back[1]])
            cv2.line(
                self.canvas,
                tuple(np.rint(end * 16).astype(int).tolist()),
                tuple(np.rint(tip * 16).astype(int).tolist()),
                colour,
                thickness,
                cv2.LINE_AA,
                4,
            )


def points_panel(image: Image, xy: Array) -> Panel:
    """The person with its bones, and the points whose maps follow."""
    panel = Panel(image)
    for a, b in COCO17.edges:
        panel.line(xy[a], xy[b], (120, 120, 128))
    for i, colour in zip(SHOWN, COLOURS, strict=True):
        panel.dot(xy[i], colour)
    return panel


def maps_panel(image: Image, maps: Array) -> Panel:
    """Maps (C, H, W) drawn over the image cell by cell, each in its own colour, opaque at its maximum."""
    panel = Panel(image)
    values = np.maximum(maps, 0) / np.maximum(maps.max((1, 2), keepdims=True, initial=0), 1e-12)
    colours = np.array(COLOURS if len(maps) == len(COLOURS) else wheel(len(maps)), np.float64)
    mixed = np.tensordot(values, colours, axes=([0], [0])) / np.maximum(values.sum(0), 1e-12)[..., None]
    size = panel.canvas.shape[1::-1]
    cover = cv2.resize(0.9 * values.max(0), size, interpolation=cv2.INTER_NEAREST)[..., None]
    glow = cv2.resize(mixed, size, interpolation=cv2.INTER_NEAREST)
    panel.canvas = np.rint(panel.canvas * (1 - cover) + glow * cover).astype(np.uint8)
    return panel


def volume_panels(image: Image, volume: Array) -> tuple[Panel, Panel]:
    """Maps (C, D, H, W) over the image, and from the side with the depth to the right."""
    height, depths = image.shape[0], volume.shape[1]
    side = np.full((height, height // 2, 3), 215, np.uint8)
    for edge in np.linspace(0, side.shape[1], depths + 1)[1:-1].astype(int):
        side[:, edge] = 235
    return maps_panel(image, volume.max(1)), maps_panel(side, volume.max(3).swapaxes(1, 2))


def bars_panel(image: Image, xy: Array, bins: Mapping[str, Array]) -> Panel:
    """Bins as bars outside the border: x below, y to the right, depth (near to far) above."""
    height, width = image.shape[:2]
    above = ROOM if any(name.endswith("z") for name in bins) else 0
    wide = np.full((height + ROOM + above, width + ROOM, 3), PAPER, np.uint8)
    wide[above : above + height, :width] = image
    panel = Panel(wide)
    placed = xy + np.array([0, above])
    for colour, (x, y) in zip(COLOURS, placed[list(SHOWN)], strict=True):
        panel.line((x, y), (x, above + height), colour, 1)
        panel.line((x, y), (width, y), colour, 1)
        panel.dot((x, y), colour, 5)
    for name, values in bins.items():
        axis = "xyz".index(name[-1])
        length = (width, height, width)[axis]
        truth = xy[:, axis] if axis < 2 else None
        for colour, line, at in _bars(values, length, truth):
            out = line * (ROOM - 6) + 2
            ends = (
                ((at, above + height + 2), (at, above + height + out)),
                ((width + 2, above + at), (width + out, above + at)),
                ((at, above - 2), (at, above - out)),
            )
            panel.line(*ends[axis], colour, max(3, min(8, int(length / values.shape[1] * panel.scale * 0.7))))
    return panel


def _bars(values: Array, length: float, truth: Array | None) -> Iterator[tuple[Colour, float, float]]:
    """Colour, height in 0..1 and position of every bar of the shown points.

    Bins are centred in equal parts of the side, or run from border to border: whichever has its mean at the true point.
    """
    count = values.shape[1]
    middles, borders = (np.arange(count) + 0.5) / count * length, np.linspace(0, length, count)
    shares = values / np.maximum(values.sum(1, keepdims=True), 1e-12)
    locations = middles
    if truth is not None:
        off = [float(np.abs(shares @ tried - truth).sum()) for tried in (middles, borders)]
        locations = middles if off[0] <= off[1] else borders
    for number, k in enumerate(SHOWN):
        tall = values[k] / max(float(values[k].max()), 1e-12)
        for at, value in zip(locations.tolist(), tall.tolist(), strict=True):
            if value >= LEAST:
                yield COLOURS[number], value, at


def numbers_panel(image: Image, xy: Array) -> Panel:
    """Two numbers for each point: x and y."""
    panel = Panel(image)
    for number, i in enumerate(SHOWN):
        panel.line((0, xy[i, 1]), xy[i], COLOURS[number], 2)
        panel.line((xy[i, 0], 0), xy[i], COLOURS[number], 2)
    for number, i in enumerate(SHOWN):
        panel.dot(xy[i], COLOURS[number])
    return panel
