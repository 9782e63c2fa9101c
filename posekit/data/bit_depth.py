"""Images of more than eight bits a value: how many are really used, and the same image in eight."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_TIFF = {b"II*\0": "little", b"MM\0*": "big"}
_BITS, _FORMAT, _FLOAT = 258, 339, 3
_PNM = re.compile(rb"P[2356](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d+)\s")
BITS = (8, 10, 12, 14, 16)
"""Depths of sensors, of which a deep image is taken to have the least that holds its largest value."""


def declared_bits(content: bytes) -> int:
    """Bits a value that the header of a PNG, TIFF, PNM or JPEG 2000 declares; 8 for all else."""
    if content.startswith(b"\x89PNG"):
        return 16 if content[24:25] == b"\x10" else 8
    if content[:4] in _TIFF:
        return tiff_samples(content)[0]
    if found := _PNM.match(content[:4096]):
        return max(8, int(found.group(1)).bit_length())
    if content.startswith(b"\0\0\0\x0cjP  "):
        at = content.find(b"ihdr") + 14
        return (content[at] & 127) + 1 if 14 <= at < len(content) else 8
    if content.startswith(b"\xff\x4f\xff\x51"):
        return (content[42] & 127) + 1 if len(content) > 42 else 8
    return 8


def tiff_samples(content: bytes) -> tuple[int, bool]:
    """Bits a value of a TIFF's first image, and whether they are floating-point numbers; (8, False) where it is odd."""
    order: Any = _TIFF.get(content[:4])
    if order is None:
        return 8, False
    start = int.from_bytes(content[4:8], order)
    found = {}
    for i in range(int.from_bytes(content[start : start + 2], order)):
        entry = content[start + 2 + 12 * i : start + 14 + 12 * i]
        tag, count = int.from_bytes(entry[:2], order), int.from_bytes(entry[4:8], order)
        # Three or more shorts do not fit into the entry; it says where they are.
        at = int.from_bytes(entry[8:12], order)
        value = entry[8:10] if count <= 2 else content[at : at + 2]
        found[tag] = int.from_bytes(value, order)
    return found.get(_BITS, 8), found.get(_FORMAT, 1) == _FLOAT


def decode_deep(content: bytes) -> tuple[NDArray[np.uint8], int] | None:
    """A deep image in eight bits, and how many bits its values use.

    Values are taken to fill the least of `BITS` that holds the largest of them: 12 bits in a file of 16 are read as
    bright as the same 12 bits in a file of 12, where the upper half of 16 alone would be nearly black. An image all of
    whose 16 bits are used loses the lower eight.

    Returns:
        (H, W, 3) uint8 RGB, upright, and the bits; ``None`` where OpenCV decodes nothing, or no whole numbers from 0.

    Raises:
        cv2.error: the image is too large.
    """
    # Colours in OpenCV's own order: it mixes the channels of deep TIFFs up when asked for RGB.
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
    if image is None or image.dtype not in (np.uint8, np.uint16, np.int16) or (image.size and image.min() < 0):
        return None
    bits = 8
    if image.dtype != np.uint8:
        largest = int(image.max(initial=0))
        bits = next(bits for bits in BITS if largest < 1 << bits)
        image = (image.astype(np.uint16) >> (bits - 8)).astype(np.uint8)
    return np.ascontiguousarray(image[..., ::-1]), bits
