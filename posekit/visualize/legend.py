"""A legend below a picture: which colour is which point, or which side.

Images are RGB uint8 and come back as new arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.geometry.skeleton import Skeleton
from posekit.visualize.palette import CENTRE, LEFT, RIGHT, Colour, point_colours

Image = NDArray[np.uint8]
Entry = tuple[str, Colour]

MANY = 12
"""With more points the legend names sides, not points."""

PAPER: Colour = (28, 28, 34)
INK: Colour = (235, 235, 240)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE, _MARGIN, _DISC = 20, 8, 5
"""Height of a line, space at the edges, and radius of the discs, at scale 1, pixels."""


def entries(skeleton: Skeleton, sides: bool = False) -> list[Entry]:
    """The entries of the legend of a skeleton.

    Args:
        skeleton: of the points.
        sides: give the colours of left, right and middle where there are more than `MANY` points; else there is then no
            legend.

    Returns:
        Text and colour of each entry; empty if there is nothing to say.
    """
    if len(skeleton.points) <= MANY:
        return list(zip(skeleton.points, point_colours(skeleton), strict=True))
    if not sides or not skeleton.bones or not skeleton.mirror:
        return []
    middle = [("middle", CENTRE)] if CENTRE in point_colours(skeleton) else []
    return [("left", LEFT), ("right", RIGHT), *middle]


def with_legend(image: Image, legend: Sequence[Entry]) -> Image:
    """The picture with a legend below; its pixels stay where they are.

    Args:
        image: (H, W, 3) uint8 RGB.
        legend: text and colour of each entry; characters beyond ASCII become question marks.

    Returns:
        (H + h, W, 3) uint8 RGB; h grows with the entries and the width, and is 0 without entries.
    """
    if not legend:
        return image
    width = image.shape[1]
    scale = float(np.clip(width / 900, 1.0, 3.0))
    rows = _rows(legend, width, scale)
    line, margin, disc = round(_LINE * scale), round(_MARGIN * scale), round(_DISC * scale)
    strip = np.full((len(rows) * line + margin, width, 3), PAPER, np.uint8)
    for number, row in enumerate(rows):
        y = margin // 2 + number * line + line // 2
        for x, text, colour in row:
            cv2.circle(strip, (x + disc, y), disc, colour, -1, cv2.LINE_AA)
            at = (x + 3 * disc, y + round(4.5 * scale))
            cv2.putText(strip, text, at, _FONT, 0.42 * scale, INK, max(1, round(scale * 0.8)), cv2.LINE_AA)
    return np.concatenate([image, strip])


def _rows(legend: Sequence[Entry], width: int, scale: float) -> list[list[tuple[int, str, Colour]]]:
    """Rows of (left edge, text, colour) that fit the width; a text that is too long alone has its own row."""
    margin, disc = round(_MARGIN * scale), round(_DISC * scale)
    rows: list[list[tuple[int, str, Colour]]] = [[]]
    x = margin
    for name, colour in legend:
        text = name.encode("ascii", "replace").decode()
        needed = 3 * disc + cv2.getTextSize(text, _FONT, 0.42 * scale, 1)[0][0]
        if rows[-1] and x + needed > width - margin:
            rows.append([])
            x = margin
        rows[-1].append((x, text, colour))
        x += needed + round(14 * scale)
    return rows
