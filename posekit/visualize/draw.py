"""Poses and maps drawn over their image.

Images are RGB uint8 and come back as new arrays. Points are continuous pixels: (0.5, 0.5) is the middle of the
first pixel. OpenCV counts pixel centres from 0, so half a pixel is taken off where it draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.geometry.skeleton import Skeleton
from posekit.visualize.palette import Colour, bone_colours, point_colours, wheel

Image = NDArray[np.uint8]
Float = NDArray[np.floating]

DARK: Colour = (16, 16, 24)
LIGHT: Colour = (255, 255, 255)
BOX: Colour = (255, 214, 10)

_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with: sixteenths of a pixel."""

FAINT = 2 / 3
"""Points whose score is at least this share of the threshold, and below it, are drawn as rings."""

_FAR = 30_000.0
"""Points further out are not drawn; the fixed-point numbers of the drawing would overflow."""


def draw_poses(
    image: Image,
    poses_xy: Float,
    scores: Float | None,
    skeleton: Skeleton,
    *,
    threshold: float = 0.3,
    boxes: Float | None = None,
    truth: Float | None = None,
    enlarge: int = 256,
) -> Image:
    """Draw poses over their image: bones, points, and what they should have been.

    Left is green, right orange, the middle blue; without left and right, or without bones, each point has its own
    colour. Lines are as thick as the instance is large. Points a little below the threshold are rings with thin bones.

    Args:
        image: (H, W, 3) uint8 RGB.
        poses_xy: (N, K, 2) image pixels; points that are not finite are left out.
        scores: (N, K) in [0, 1], or ``None``: all are drawn.
        skeleton: of the K points.
        threshold: points with a lower score are rings; those below `FAINT` of it are left out, with their bones.
        boxes: (N, 4) x0 y0 x1 y1, image pixels, drawn where given.
        truth: (N, K, 2) or (K, 2), NaN where unknown: white rings, each with a line to the point that was predicted.
        enlarge: images whose longer side is smaller are blown up by a whole factor first; 0 leaves them.

    Returns:
        (H f, W f, 3) uint8 RGB; f = 1 but for small images.

    Raises:
        ValueError: shapes do not fit the image or the skeleton.
    """
    points = np.asarray(poses_xy, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (len(skeleton.points), 2):
        raise ValueError(f"poses want (N, {len(skeleton.points)}, 2) for {skeleton.name!r}; got {points.shape}")
    canvas, factor = _canvas(image, enlarge)
    points = points * factor
    shown = _drawable(points)
    sure = shown
    if scores is not None:
        sure = shown & (np.asarray(scores) >= threshold)
        shown = shown & (np.asarray(scores) >= threshold * FAINT)
    for box in np.empty((0, 4)) if boxes is None else np.asarray(boxes, dtype=np.float64) * factor:
        _rectangle(canvas, box)
    colours, bones = point_colours(skeleton), bone_colours(skeleton)
    for xy, visible, full in zip(points, shown, sure, strict=True):
        radius = _radius(xy[visible], len(visible))
        for (i, j), colour in zip(skeleton.edges, bones, strict=True):
            if visible[i] and visible[j] and (full[i] or full[j]):
                _line(canvas, xy[i], xy[j], colour, max(1, round(radius * 0.8)) if full[i] and full[j] else 1)
        for i in np.flatnonzero(visible).tolist():
            if full[i]:
                _disc(canvas, xy[i], radius + 1, DARK)
                _disc(canvas, xy[i], radius, colours[i])
            else:
                _disc(canvas, xy[i], radius + 2, DARK, 1)
                _disc(canvas, xy[i], radius + 1, colours[i], 1)
    if truth is not None:
        _draw_truth(
            canvas, np.asarray(truth, dtype=np.float64).reshape(-1, len(skeleton.points), 2) * factor, points, shown
        )
    return canvas


def draw_maps(image: Image, maps: Float, *, strength: float = 0.7, enlarge: int = 256) -> Image:
    """Lay maps over their image, each in its own colour and brightest at its maximum.

    Args:
        image: (H, W, 3) uint8 RGB.
        maps: (K, h, w) over the same image, any values; negative ones count as 0.
        strength: of the maps over the image, in [0, 1].
        enlarge: as in `draw_poses`.

    Returns:
        (H f, W f, 3) uint8 RGB.

    Raises:
        ValueError: ``maps`` is not (K, h, w).
    """
    maps = np.asarray(maps, dtype=np.float32)
    if maps.ndim != 3:
        raise ValueError(f"maps want (K, h, w), those of one image; got {maps.shape}")
    canvas, _ = _canvas(image, enlarge)
    maps = np.maximum(np.nan_to_num(maps), 0)
    maps = maps / np.maximum(maps.max((1, 2), keepdims=True, initial=0), 1e-12)
    colours = np.array(wheel(len(maps)), dtype=np.float32).reshape(-1, 3)
    glow = np.minimum(np.tensordot(maps, colours, axes=([0], [0])), 255)
    cover = maps.max(0, initial=0) * strength
    height, width = canvas.shape[:2]
    glow = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.rint(canvas * (1 - cover) + glow * cover), dtype=np.uint8)


def sheet(images: Sequence[Image], columns: int = 4, captions: Sequence[str] = (), *, cell: int = 256) -> Image:
    """One picture of many: a grid of cells, each image fitted into its own.

    Args:
        images: (H, W, 3) uint8 RGB each, of any sizes.
        columns: of the grid.
        captions: one for each image, or none at all; characters beyond ASCII become question marks.
        cell: side of a cell, pixels.

    Returns:
        (rows, columns) cells as one uint8 RGB image.

    Raises:
        ValueError: no images, no columns, or captions that are not as many as images.
    """
    if not images or columns < 1:
        raise ValueError(
            f"a sheet wants at least one image and one column; got {len(images)} images, {columns} columns"
        )
    if captions and len(captions) != len(images):
        raise ValueError(f"a sheet wants a caption for each of {len(images)} images, or none; got {len(captions)}")
    gap, line = 8, 22 if captions else 0
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    page = np.full((gap + rows * (cell + line + gap), gap + columns * (cell + gap), 3), 245, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = gap + row * (cell + line + gap), gap + column * (cell + gap)
        fitted = _fitted(image, cell)
        height, width = fitted.shape[:2]
        y, x = top + (cell - height) // 2, left + (cell - width) // 2
        page[y : y + height, x : x + width] = fitted
        if captions:
            text = captions[index].encode("ascii", "replace").decode()
            _caption(page, text, (left, top + cell + line - 6), cell)
    return page


def _canvas(image: Image, enlarge: int) -> tuple[Image, int]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"pictures are drawn on (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}")
    factor = -(-enlarge // max(image.shape[:2])) if max(image.shape[:2]) < enlarge else 1
    if factor == 1:
        return image.copy(), 1
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, dtype=np.uint8), factor


def _drawable(points: Float) -> NDArray[np.bool_]:
    return np.asarray((np.abs(np.nan_to_num(points, nan=np.inf)) < _FAR).all(-1))


def _radius(xy: Float, points: int) -> float:
    """Of the discs, pixels: with the instance's extent, smaller where many points share it."""
    extent = float(np.ptp(xy, axis=0).max()) if len(xy) > 1 else 100.0
    share = min(1.0, (20 / points) ** 0.5)
    least = float(np.clip(0.03 * extent * share, 2.0, 4.0))
    return float(np.clip(0.014 * extent * share, least, 14.0))


def _fixed(xy: Float) -> tuple[int, int]:
    """Continuous pixels as OpenCV's fixed-point index coordinates."""
    x, y = np.rint((xy - 0.5) * (1 << _SHIFT)).astype(int).tolist()
    return x, y


def _line(canvas: Image, start: Float, end: Float, colour: Colour, thickness: int) -> None:
    cv2.line(canvas, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA, _SHIFT)


def _disc(canvas: Image, centre: Float, radius: float, colour: Colour, thickness: int = -1) -> None:
    cv2.circle(canvas, _fixed(centre), round(radius * (1 << _SHIFT)), colour, thickness, cv2.LINE_AA, _SHIFT)


def _rectangle(canvas: Image, box: Float) -> None:
    if _drawable(box.reshape(2, 2)).all():
        cv2.rectangle(canvas, _fixed(box[:2]), _fixed(box[2:]), BOX, 1, cv2.LINE_AA, _SHIFT)


def _draw_truth(canvas: Image, truth: Float, points: Float, shown: NDArray[np.bool_]) -> None:
    known = _drawable(truth)
    for index, (xy, there) in enumerate(zip(truth, known, strict=True)):
        radius = _radius(xy[there], len(there)) + 1
        for i in np.flatnonzero(there):
            if len(points) == len(truth) and shown[index, i]:
                _line(canvas, xy[i], points[index, i], LIGHT, 1)
            _disc(canvas, xy[i], radius, DARK, 2)
            _disc(canvas, xy[i], radius, LIGHT, 1)


def _fitted(image: Image, cell: int) -> Image:
    scale = cell / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def _caption(page: Image, text: str, at: tuple[int, int], width: int) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    while len(text) > 1 and cv2.getTextSize(text, font, size, 1)[0][0] > width:
        text = text[:-4] + "..." if len(text) > 4 else text[:-1]
    cv2.putText(page, text, at, font, size, (40, 40, 48), 1, cv2.LINE_AA)
