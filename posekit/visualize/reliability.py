"""A reliability diagram: how often points are right against the score they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Bins = Sequence[tuple[float, float, float]]

COLOURS = ((249, 115, 22), (59, 130, 246), (16, 185, 129), (139, 92, 246))
"""Of the curves, in their order."""

SIDE = 420
"""Of the square from 0 to 1, pixels."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 62, 24, 56
_INK, _PALE, _GRID = (40, 40, 48), (120, 120, 130), (228, 228, 232)
_SHIFT = 4
_FINE = 1 << _SHIFT


def reliability_diagram(title: str, curves: Mapping[str, Bins], x_label: str, y_label: str) -> Image:
    """Draw bins of points as discs joined by a line; on the diagonal a score is the share of points that are right.

    Args:
        title: above the diagram; of this and all other words, characters beyond ASCII become question marks.
        curves: for each name bins (score, share, points), score and share in [0, 1]; bins that are not finite or hold
            no point are left out. A disc's area goes with its points.
        x_label: below.
        y_label: beside.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: more curves than colours.
    """
    if len(curves) > len(COLOURS):
        raise ValueError(f"a reliability diagram has room for {len(COLOURS)} curves; got {len(curves)}")
    page = np.full((_TOP + SIDE + _BOTTOM, _LEFT + SIDE + _RIGHT, 3), 255, np.uint8)
    _axes(page, x_label, y_label)
    _text(page, title, (_LEFT + SIDE / 2, _TOP - 42), 0.5, _INK)
    most = max((bin_[2] for bins in curves.values() for bin_ in bins), default=1)
    for colour, bins in zip(COLOURS, curves.values(), strict=False):
        _curve(page, [b for b in bins if np.isfinite(b).all() and b[2] > 0], colour, most)
    _legend(page, list(curves))
    return page


def _at(score: float, share: float) -> tuple[float, float]:
    """Pixels of a place in the square."""
    return _LEFT + score * SIDE, _TOP + (1 - share) * SIDE


def _fixed(place: tuple[float, float]) -> tuple[int, int]:
    return round((place[0] - 0.5) * _FINE), round((place[1] - 0.5) * _FINE)


def _line(page: Image, start: tuple[float, float], end: tuple[float, float], colour: Sequence[int], wide: int) -> None:
    cv2.line(page, _fixed(_at(*start)), _fixed(_at(*end)), colour, wide, cv2.LINE_AA, _SHIFT)


def _axes(page: Image, x_label: str, y_label: str) -> None:
    for i in range(6):
        part = i / 5
        _line(page, (0, part), (1, part), _GRID, 1)
        _line(page, (part, 0), (part, 1), _GRID, 1)
        _text(page, f"{part:.1f}", (_LEFT + part * SIDE, _TOP + SIDE + 16), 0.4, _PALE)
        _text(page, f"{part:.1f}", (_LEFT - 20, _TOP + (1 - part) * SIDE), 0.4, _PALE)
    _line(page, (0, 0), (1, 1), _PALE, 1)
    _text(page, x_label, (_LEFT + SIDE / 2, _TOP + SIDE + 40), 0.45, _INK)
    beside = np.full((20, SIDE, 3), 255, np.uint8)
    _text(beside, y_label, (SIDE / 2, 10), 0.45, _INK)
    page[_TOP : _TOP + SIDE, 6:26] = np.rot90(beside)


def _curve(page: Image, bins: Bins, colour: Sequence[int], most: float) -> None:
    for (x, y, _), (u, v, _) in pairwise(bins):
        _line(page, (x, y), (u, v), colour, 2)
    for x, y, count in bins:
        radius = round(max(3.0, 8.0 * (count / most) ** 0.5) * _FINE)
        cv2.circle(page, _fixed(_at(x, y)), radius, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(page, _fixed(_at(x, y)), radius - _FINE, colour, -1, cv2.LINE_AA, _SHIFT)


def _legend(page: Image, names: Sequence[str]) -> None:
    """In one row above the square: within it, curves may pass anywhere."""
    x = _LEFT
    for name, colour in zip(names, COLOURS, strict=False):
        cv2.circle(page, (x + 5, _TOP - 16), 5, colour, -1, cv2.LINE_AA)
        _text(page, name, (x, _TOP - 16), 0.4, _INK, left=x + 15)
        x += 32 + _size(name, 0.4)[0]


def _size(text: str, size: float) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    return width, height


def _text(
    page: Image, text: str, middle: tuple[float, float], size: float, colour: Sequence[int], left: int | None = None
) -> None:
    """Words centred on a place, or from ``left`` on; smaller where they would not fit."""
    plain = text.encode("ascii", "replace").decode()
    width, height = _size(plain, size)
    if width > page.shape[1] - 8:
        size *= (page.shape[1] - 8) / width
        width, height = _size(plain, size)
    x = round(middle[0] - width / 2) if left is None else left
    x = max(4, min(x, page.shape[1] - 4 - width))
    cv2.putText(page, plain, (x, round(middle[1] + height / 2)), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
