"""One matrix from a box in an image to a crop, and back.

Matrices are (3, 3) and act on continuous pixels; `index_matrix` translates one for libraries that count pixel
centres from 0, OpenCV among them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]


def crop_matrix(
    box: Float,
    size: tuple[int, int],
    *,
    padding: float = 1.25,
    scale: float = 1.0,
    rotation: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip: bool = False,
) -> Float:
    """Map a box to a crop: pad, fit the aspect ratio, scale, rotate, shift and flip, in one matrix.

    Args:
        box: (4,) x0 y0 x1 y1, image pixels.
        size: (height, width) of the crop.
        padding: factor on the box size for context around it; 1: none.
        scale: additional factor on the size of the instance in the crop; 2 shows it twice as large.
        rotation: degrees; the instance is rotated clockwise on the screen.
        shift: (x, y) of the instance, in fractions of the padded box.
        flip: mirror the crop left to right, last.

    Returns:
        (3, 3) float64, image pixels to crop pixels.

    Raises:
        ValueError: the box has no extent, or is not finite.
    """
    # Plain Python numbers: with a cold cache a NumPy call costs as much as fifty operations on them.
    x0, y0, x1, y1 = (float(v) for v in box)
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise ValueError(f"a crop needs a finite box x0 y0 x1 y1 with x0 < x1 and y0 < y1; got {[x0, y0, x1, y1]}")
    height, width = size
    # The short side grows until the box has the crop's aspect ratio, so nothing is cut off or stretched.
    extent = max((x1 - x0) / width, (y1 - y0) / height) * padding
    scale = scale / extent
    turn = math.radians(rotation)
    c, s = math.cos(turn) * scale, math.sin(turn) * scale
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    tx, ty = width / 2 + shift[0] * width, height / 2 + shift[1] * height
    across = [c, -s, tx - c * cx + s * cy]
    if flip:
        across = [-c, s, width - across[2]]
    return np.array([across, [s, c, ty - s * cx - c * cy], [0.0, 0.0, 1.0]])


def invert(matrix: Float) -> Float:
    """The inverse map.

    Args:
        matrix: (..., 3, 3) affine.

    Raises:
        ValueError: the matrix is singular.
    """
    if (np.abs(np.linalg.det(matrix)) < 1e-12).any():
        raise ValueError(f"matrix has no inverse: {np.asarray(matrix).tolist()}")
    return np.linalg.inv(matrix)


def transform(xy: Float, matrix: Float) -> Float:
    """Apply a matrix to points.

    Args:
        xy: (..., 2).
        matrix: (3, 3), or (..., 3, 3) broadcast against the points' leading axes.

    Returns:
        (..., 2), the dtype of ``xy``.
    """
    moved = (
        xy @ np.swapaxes(matrix[..., :2, :2], -1, -2) + matrix[..., None, :2, 2]
        if matrix.ndim > 2
        else xy @ matrix[:2, :2].T + matrix[:2, 2]
    )
    return moved.astype(xy.dtype, copy=False)


def index_matrix(matrix: Float) -> Float:
    """The same map for libraries whose first pixel centre is (0, 0): what `cv2.warpAffine` wants."""
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    return np.array([[a, b, x + (a + b - 1) / 2], [c, d, y + (c + d - 1) / 2], [0.0, 0.0, 1.0]])
