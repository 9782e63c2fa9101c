"""Images of more than eight bits for each value: the bits that are used, and the conversion to eight bits."""

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
"""Bit depths of sensors; the smallest that holds the largest value of an image is assumed."""


def declared_bits(content: bytes) -> int:
    """Bits for each value that the header of a PNG, TIFF, PNM or JPEG 2000 declares; 8 for all else."""
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
    """Bits for each value of a TIFF's first image, and whether values are floating point; (8, False) if unknown."""
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
    """Decode an image of more than eight bits to eight bits; also return how many bits its values use.

    Values are scaled by the smallest of `BITS` that holds the largest value. So a 12-bit image in a 16-bit file keeps
    its brightness; taking the upper eight of 16 bits would make it nearly black. An image that uses all 16 bits loses
    the lower eight.

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
