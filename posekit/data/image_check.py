"""What is wrong with, or remarkable about, one image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from posekit.data.dataset import ImageRecord
from posekit.data.errors import DataError
from posekit.data.image import channels, cut_off, decode_image, orientation

Fault = tuple[Literal["error", "warning", "info"], str, str]
"""Severity, what (said of several), and the fix."""

AGAIN = "copy them again, or take them out of the label file"


def check_pixels(record: ImageRecord) -> Iterator[Fault]:
    """Open an image and tell what is amiss."""
    if record.load is not None:
        yield from _made(record)
        return
    path = Path(record.path)
    if not path.is_file():
        yield "error", "images are missing", "give the folder of the images, or correct the names in the label file"
        return
    content = path.read_bytes()
    if not content:
        yield "error", "image files are empty", AGAIN
    elif cut_off(content):
        yield "error", "images are cut off", AGAIN
    else:
        yield from _decoded(record, content)


def _made(record: ImageRecord) -> Iterator[Fault]:
    try:
        record.read()
    except DataError:
        yield "error", "images cannot be decoded", AGAIN


def _decoded(record: ImageRecord, content: bytes) -> Iterator[Fault]:
    try:
        height, width = decode_image(content, record.path).shape[:2]
    except DataError:
        yield "error", "files are no images that can be decoded", "save them as JPEG or PNG"
        return
    turned = orientation(content) != 1
    if record.width and (height, width) != (record.height, record.width):
        if turned and (width, height) == (record.height, record.width):
            yield (
                "error",
                "images are turned by EXIF after their size was written down; the labels seem made before the turn",
                "save the images upright without EXIF",
            )
        else:
            yield (
                "error",
                "images have another size than the label file says",
                "use the images that were labelled, or scale the labels",
            )
    elif turned:
        yield "info", "images are turned by EXIF; they are read upright", ""
    kind = channels(content)
    if kind == "grey":
        yield "info", "images are grey; they are read as RGB", ""
    if kind == "alpha":
        yield "info", "images have an alpha channel; it is dropped", ""
