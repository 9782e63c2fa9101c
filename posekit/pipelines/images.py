"""Inputs of a predictor: images, image files and boxes, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.image import read_image
from posekit.geometry.boxes import usable

Image = NDArray[np.uint8]
Boxes = NDArray[np.floating] | Sequence[Sequence[float]]
"""(N, 4) x0 y0 x1 y1, continuous pixels."""


def images_of(images: Any, boxes: Any) -> tuple[list[Any], list[Any] | None]:
    """A list of images and boxes; a single image or file becomes a list of one.

    Raises:
        ValueError: the numbers of images and box arrays differ.
    """
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim == 3):
        images = [images]
        one = boxes is not None and np.ndim(boxes) == 2 and np.shape(boxes)[-1] == 4
        boxes = [boxes] if one else boxes
    images = list(images)
    if boxes is not None and len(boxes) != len(images):
        raise ValueError(f"{len(images)} images but boxes for {len(boxes)}; give one (N, 4) array for each image")
    return images, None if boxes is None else list(boxes)


def image_of(image: Any, number: int) -> Image:
    """An image, read if it is a file.

    Args:
        image: RGB uint8 (H, W, 3), or a path.
        number: for the message.

    Raises:
        ValueError: it is not an image; the message has its number.
        DataError: the file cannot be read.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}".strip()
        raise ValueError(f"image {number}: expected RGB uint8 (H, W, 3), or a path; got {what}{_fix(image)}")
    if not image.size:
        raise ValueError(f"image {number}: expected at least one pixel, got shape {image.shape}")
    return image


def _fix(image: Any) -> str:
    shape: tuple[int, ...] = getattr(image, "shape", ())
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        return "; repeat a grey image three times: np.repeat(image.reshape(H, W, 1), 3, axis=2)"
    if len(shape) == 3 and shape[2] == 4:
        return "; leave out the fourth channel: image[..., :3]"
    if len(shape) == 3 and np.issubdtype(image.dtype, np.floating):
        return "; values from 0 to 1 become (image * 255).round().astype(np.uint8)"
    return ""


def checked_boxes(boxes: Boxes | None, shape: tuple[int, int], number: int) -> NDArray[np.float64]:
    """Boxes of one image; the full image if none are given.

    Args:
        boxes: (N, 4), or ``None``.
        shape: (height, width) of the image.
        number: of the image, for the message.

    Raises:
        ValueError: a box does not have four numbers, or has no extent; the message has its number.
    """
    if boxes is None:
        return np.array([[0.0, 0.0, shape[1], shape[0]]])
    made = np.asarray(boxes, dtype=np.float64)
    if not made.size:
        return np.zeros((0, 4))
    if made.ndim != 2 or made.shape[1] != 4:
        raise ValueError(f"boxes of image {number}: expected (N, 4) x0 y0 x1 y1, got shape {made.shape}")
    bad = ~usable(made)
    if bad.any():
        which = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"box {which} of image {number}: expected finite x0 < x1 and y0 < y1; got {made[which].tolist()}; "
            "boxes are corners, not x y width height"
        )
    return made
