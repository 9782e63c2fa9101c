"""Panels of the pictures: the figure, and what a network is taught drawn over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.skeletons.body import COCO17
from posekit.visualize.palette import Colour, wheel

Image = NDArray[np.uint8]
Array = NDArray[np.floating]

SHOWN = tuple(COCO17.points.index(n) for n in ("nose", "left_wrist", "right_wrist", "left_ankle", "right_ankle"))
"""Points whose maps are drawn: few enough to be told apart."""
COLOURS = wheel(len(SHOWN))
ENLARGED = 2
"""Whole factor by which panels are drawn larger than they end, for smooth lines."""
HEIGHT = 320
"""Of a panel in the end, pixels."""
INK: Colour = (40, 40, 48)
PAPER = 250


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
        """A line between two places."""
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
    """The figure with its bones, and the points whose maps follow."""
    panel = Panel(image)
    for a, b in COCO17.edges:
        panel.line(xy[a], xy[b], (120, 120, 128))
    for i, colour in zip(SHOWN, COLOURS, strict=True):
        panel.dot(xy[i], colour)
    return panel


def maps_panel(image: Image, maps: Array) -> Panel:
    """Maps (C, H, W) laid over the figure cell by cell, each in its own colour and fullest at its maximum."""
    panel = Panel(image)
    values = np.maximum(maps, 0) / np.maximum(maps.max((1, 2), keepdims=True, initial=0), 1e-12)
    colours = np.array(COLOURS if len(maps) == len(COLOURS) else wheel(len(maps)), np.float64)
    mixed = np.tensordot(values, colours, axes=([0], [0])) / np.maximum(values.sum(0), 1e-12)[..., None]
    size = panel.canvas.shape[1::-1]
    cover = cv2.resize(0.9 * values.max(0), size, interpolation=cv2.INTER_NEAREST)[..., None]
    glow = cv2.resize(mixed, size, interpolation=cv2.INTER_NEAREST)
    panel.canvas = np.rint(panel.canvas * (1 - cover) + glow * cover).astype(np.uint8)
    return panel


def bars_panel(image: Image, xy: Array, bins: Mapping[str, Array]) -> Panel:
    """Bins of x as bars along the lower border, those of y along the right one."""
    height, width = image.shape[:2]
    room = 40
    wide = np.full((height + room, width + room, 3), PAPER, np.uint8)
    wide[:height, :width] = image
    panel = Panel(wide)
    for number, i in enumerate(SHOWN):
        panel.line((xy[i, 0], xy[i, 1]), (xy[i, 0], height), COLOURS[number], 1)
        panel.line((xy[i, 0], xy[i, 1]), (width, xy[i, 1]), COLOURS[number], 1)
        panel.dot(xy[i], COLOURS[number], 5)
        for name, values in bins.items():
            axis = 1 if name.endswith("y") else 0
            line = values[i] / max(values[i].max(), 1e-12)
            step = (width, height)[axis] / len(line)
            for bin_, value in enumerate(line):
                if value < 0.02:
                    continue
                along, out = (bin_ + 0.5) * step, 2 + (room - 6) * value
                ends = ((along, height + 2), (along, height + out)), ((width + 2, along), (width + out, along))
                panel.line(*ends[axis], COLOURS[number], max(1, int(step * panel.scale * 0.7)))
    return panel


def numbers_panel(image: Image, xy: Array) -> Panel:
    """Two numbers a point: how far right and how far down."""
    panel = Panel(image)
    for number, i in enumerate(SHOWN):
        panel.line((0, xy[i, 1]), xy[i], COLOURS[number], 2)
        panel.line((xy[i, 0], 0), xy[i], COLOURS[number], 2)
    for number, i in enumerate(SHOWN):
        panel.dot(xy[i], COLOURS[number])
    return panel
