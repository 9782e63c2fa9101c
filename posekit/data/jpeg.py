"""Inspect the bytes of a JPEG without decoding it: size, orientation, and damage.

Decoders only warn about damage and fill the rest of the image with grey, so damage is searched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

HEADER, END = b"\xff\xd8", b"\xff\xd9"
_SCAN = b"\xff\xda"
# Start-of-frame markers; C4, C8 and CC are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
# Within coded data FF is followed by 00, or by the number of a restart.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

_ZEROS, _ONES = bytes(128), b"\xff" * 16
"""A run of this length does not occur in coded data: this part of the file was never written."""

# A header, a progressive frame, or a hole of ones.
_DOUBTFUL = re.compile(rb"\xff(?:[\xd8\xc2]|\xff{15})")

_FILL = 128
"""Fill value of decoders: zero coefficients in YCbCr, which is middle grey."""


def is_jpeg(content: bytes) -> bool:
    """Whether the bytes begin like a JPEG."""
    return content.startswith(HEADER)


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of each segment of the header."""
    return ((content[at + 1], content[at + 4 : end]) for at, end in _header(content))


def scan_start(content: bytes) -> int:
    """Offset of the coded data after the header; the length of the bytes if there is none."""
    ends = [end for _, end in _header(content)]
    at = _after_padding(content, ends[-1] if ends else 2)
    return at if content[at : at + 2] == _SCAN else len(content)


def _header(content: bytes) -> Iterator[tuple[int, int]]:
    """Where each segment of the header begins and ends."""
    at = _after_padding(content, 2)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        yield at, end
        at = _after_padding(content, end)


def _after_padding(content: bytes, at: int) -> int:
    """Behind the bytes FF that may fill the room before a marker."""
    while content[at : at + 2] == b"\xff\xff":
        at += 1
    return at


def frame(content: bytes) -> tuple[int, bytes]:
    """Marker and body of the frame header (coding, size, channels); (0, empty) without one."""
    return next(((marker, body) for marker, body in segments(content) if marker in _FRAMES), (0, b""))


def stored_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, before EXIF rotation, or ``None`` if the header is invalid."""
    body = frame(content)[1]
    if len(body) < 5:
        return None
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return (height, width) if height and width else None


def orientation(content: bytes) -> int:
    """The EXIF orientation, 1 (upright) to 8; 5 and more swap height and width. 1 if it is not a JPEG."""
    for marker, body in segments(content):
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            tiff = body[6:]
            order = "little" if tiff[:2] == b"II" else "big"
            start = int.from_bytes(tiff[4:8], order)  # type: ignore[arg-type]
            entries = int.from_bytes(tiff[start : start + 2], order)  # type: ignore[arg-type]
            for at in range(start + 2, min(start + 2 + 12 * entries, len(tiff) - 11), 12):
                if int.from_bytes(tiff[at : at + 2], order) == 0x0112:  # type: ignore[arg-type]
                    value = int.from_bytes(tiff[at + 8 : at + 10], order)  # type: ignore[arg-type]
                    return value if 1 <= value <= 8 else 1
    return 1


def cut_off(content: bytes) -> bool:
    """Whether the end is missing. Bytes may follow it, and a thumbnail in the header has an end of its own."""
    return not content.endswith(END) and content.rfind(END) < scan_start(content)


def scan_fault(content: bytes) -> str:
    """Damage found by searching the coded data; empty if none is found.

    Detects a second header inside the coded data, a hole (long runs of bytes 0 or 255), and missing scans of a
    progressive image. Takes a few hundredths of the time of decoding, less for larger images.
    """
    # Most pictures hold none of these bytes at all, so that their headers need not be read.
    if _DOUBTFUL.search(content, 2) is None and _ZEROS not in content:
        return ""
    start, coding = scan_start(content), frame(content)[0]
    if _inside_scan(content, start, HEADER):
        return "has the header of another JPEG inside its picture"
    empty = coding in _SEQUENTIAL and _inside_scan(content, start, _ZEROS) and not _zeros_are_flat(content)
    if empty or _inside_scan(content, start, _ONES):
        return "has a hole in its picture (bytes that were never written)"
    if coding == _PROGRESSIVE and not _has_detail(content, start):
        return "lacks the later scans of its progressive picture"
    return ""


def _inside_scan(content: bytes, start: int, wanted: bytes) -> bool:
    """Whether bytes stand among the coded data: behind the end there may be previews, and segments hold anything."""
    at = content.find(wanted, start)
    place = start
    while 0 <= place < at:
        if content[place : place + 2] == END:
            return False
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if at < place:
            at = content.find(wanted, place)
        found = _MARKER.search(content, place)
        if found is None or found.start() >= at >= 0:
            return at >= 0
        place = found.start()
    return at >= 0


def _zeros_are_flat(content: bytes) -> bool:
    """Whether zeros code flat blocks: then the shortest code of every table of detail says that there is none."""
    first = [body[at + 17] for body in _tables(content) for at in _detail(body)]
    return not any(first)


def _tables(content: bytes) -> Iterator[bytes]:
    return (body for marker, body in segments(content) if marker == 0xC4)


def _detail(body: bytes) -> Iterator[int]:
    """Where each table of detail begins in a segment of Huffman tables."""
    at = 0
    while at + 18 <= len(body):
        if body[at] >> 4:
            yield at
        at += 17 + sum(body[at + 1 : at + 17])


def _has_detail(content: bytes, start: int) -> bool:
    """Whether every channel of a progressive picture has a scan of more than its blocks' means."""
    body = frame(content)[1]
    wanted = {body[6 + 3 * i] for i in range(body[5])} if len(body) > 5 and len(body) >= 6 + 3 * body[5] else set()
    at = start
    while wanted and at >= 0:
        count = content[at + 4] if at + 4 < len(content) else 0
        last = at + 5 + 2 * count + 1
        if last < len(content) and content[last] > 0:
            wanted -= {content[at + 5 + 2 * i] for i in range(count)}
        at = content.find(_SCAN, at + 2)
    return not wanted


def grey_corner(image: NDArray[np.uint8]) -> bool:
    """Whether a corner of a decoded image may be fill of the decoder: then `ends_in_fill` is needed."""
    corners = (image[0, 0], image[0, -1], image[-1, 0], image[-1, -1])
    return any(corner[0] == _FILL and corner[1] == corner[2] == _FILL for corner in corners)


def ends_in_fill(content: bytes) -> bool:
    """Whether the decoder filled the last rows, because the coded data ends too early.

    Grey rows that are meant are coded, however briefly: without its last bytes the picture decodes the same but for
    them. Where they are filled in, the last bytes are of the picture above. Decodes twice. Progressive pictures, which
    are coded all over several times, end otherwise: see `scan_fault`.
    """
    whole = _decoded(content) if frame(content)[0] in _SEQUENTIAL else None
    if whole is None:
        return False
    height, width = _grey_end((whole == _FILL).all(-1))
    if height * width < 512:
        return False
    # A block of meant grey takes two bits or more; a small area can spare two bytes, not more.
    shorter = _decoded(content[: _data_end(content) - (8 if height * width >= 4096 else 2)] + END)
    if shorter is None:
        return False
    # Colours are coded coarsely and spread over the edge of the area by a pixel.
    differ = (whole != shorter).any(-1)
    differ[max(0, len(differ) - height - 2) :, max(0, differ.shape[1] - width - 2) :] = False
    return bool(differ.any())


def _grey_end(grey: NDArray[np.bool_]) -> tuple[int, int]:
    """Height and width of a grey area that ends in the last pixel: whole rows, or else the end of the last ones."""
    rows = _run(np.all(grey, 1))
    columns = grey.shape[1] if rows else _run(grey[-1])
    return rows or _run(np.all(grey[:, grey.shape[1] - columns :], 1)), columns


def _run(values: NDArray[np.bool_]) -> int:
    """Number of true values at the end."""
    return len(values) if values.all() else int(np.argmin(values[::-1]))


def _data_end(content: bytes) -> int:
    """Where the coded data ends: at the first marker where there is one scan, else at the marker of the end."""
    start = scan_start(content)
    if content.count(_SCAN, start) == 1:
        found = _MARKER.search(content, start + 2 + int.from_bytes(content[start + 2 : start + 4], "big"))
        return len(content) if found is None else found.start()
    return content.find(END, start)


def _decoded(content: bytes) -> NDArray[np.uint8] | None:
    """(H, W, 3) as stored."""
    flags = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return None if image is None else np.asarray(image, np.uint8)
