"""Check one image file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from posekit.data.bit_depth import declared_bits
from posekit.data.dataset import ImageRecord
from posekit.data.errors import DataError
from posekit.data.folders import is_file
from posekit.data.image import ImageError, channels, decode_with_bits
from posekit.data.jpeg import orientation

T = TypeVar("T")
Fault = tuple[Literal["error", "warning", "info"], str, str]
"""Severity, message (for several images), and fix."""

AGAIN = "copy them again, or remove them from the label file"

FOLDER = "give the folder of the images (--images FOLDER), or correct the names in the label file"

_COMPLAINT = re.compile(rb"^(?:Corrupt JPEG data: |Premature end of JPEG).*$", re.MULTILINE)
_PADDING = 4
"""Up to this many extra bytes before a marker are written by some cameras and are no damage."""


def check_pixels(record: ImageRecord) -> Iterator[Fault]:
    """Open an image and report its faults."""
    if record.load is not None:
        yield from _made(record)
        return
    path = Path(record.path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError where the name holds a NUL
        if is_file(path):
            yield "error", f"images cannot be read ({getattr(error, 'strerror', error)})", AGAIN
        else:
            yield "error", "images are missing", FOLDER
        return
    yield from _decoded(record, content)


def _made(record: ImageRecord) -> Iterator[Fault]:
    try:
        record.read()
    except ImageError as error:
        yield "error", error.many, error.fix
    except DataError as error:
        yield "error", f"images cannot be used (the first: {error})", AGAIN


def _decoded(record: ImageRecord, content: bytes) -> Iterator[Fault]:
    try:
        (image, bits), complaint = overheard(lambda: decode_with_bits(content, record.path))
    except ImageError as error:
        yield "error", error.many, error.fix
        return
    if complaint:
        yield (
            "warning",
            f"images are damaged in part, the decoder says: {complaint}",
            "look at them; copy them again where parts are grey, shifted or of the wrong colour",
        )
    height, width = image.shape[:2]
    turned = orientation(content) != 1
    if record.width and (height, width) != (record.height, record.width):
        yield _another_size(turned and (width, height) == (record.height, record.width))
    elif turned:
        yield "info", "images are rotated by EXIF; they are read upright", ""
    yield from _values(content, bits)


def _another_size(turned: bool) -> Fault:
    if turned:
        return (
            "error",
            "images are rotated by EXIF, but their size in the label file is not; the labels seem to ignore EXIF",
            "save the images upright without EXIF",
        )
    return (
        "error",
        "images have another size than the label file says",
        "use the images that were labelled, or scale the labels",
    )


def _values(content: bytes, bits: int) -> Iterator[Fault]:
    """Notes on the values: bit depth, grey, alpha."""
    declared = declared_bits(content)
    if bits < declared:
        yield (
            "warning",
            f"images of {declared} bits use only {bits} of them, and look nearly black in most programs; they are read "
            f"{1 << (declared - bits)} times as bright",
            "save them with 8 bits, or scaled to the full range",
        )
    elif declared > 8:
        yield "info", f"images have {declared} bits; the upper 8 are read", ""
    kind = channels(content)
    if kind == "grey":
        yield "info", "images are grey; they are read as RGB", ""
    if kind == "alpha":
        yield "info", "images have an alpha channel; it is dropped", ""


def overheard(decode: Callable[[], T]) -> tuple[T, str]:
    """The result of a decoder and its complaint about damage, which libjpeg only writes to standard error.

    Numbers are removed from the complaint; other output is passed on.
    """
    with tempfile.TemporaryFile() as log:
        try:
            own = os.dup(2)
        except OSError:  # a process without standard error
            return decode(), ""
        os.dup2(log.fileno(), 2)
        try:
            value = decode()
        finally:
            os.dup2(own, 2)
            os.close(own)
            log.seek(0)
            words = log.read()
            rest = _COMPLAINT.sub(b"", words).strip()
            if rest:
                os.write(2, rest + b"\n")
    return value, _complaint(words)


def _complaint(words: bytes) -> str:
    """The first complaint of damage, without its numbers."""
    for found in _COMPLAINT.finditer(words):
        line = found.group().decode(errors="replace")
        extra = re.search("([0-9]+) extraneous bytes", line)
        if extra is None or int(extra.group(1)) > _PADDING:
            return re.sub("(0x)?[0-9a-f]*[0-9]+[0-9a-f]*", "...", line)
    return ""
