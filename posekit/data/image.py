"""Images from files: always RGB, upright and whole, or an error that says why not."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError

Image = NDArray[np.uint8]


def read_image(path: Path | str) -> Image:
    """Decode an image: the EXIF orientation is applied, grey becomes RGB, alpha and depths over 8 bits are dropped.

    Args:
        path: of a JPEG, PNG, WebP, BMP, TIFF or whatever else OpenCV decodes; any characters.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: the file is missing, empty, cut off, or no image.
    """
    return decode_image(image_bytes(path), str(path))


def image_bytes(path: Path | str) -> bytes:
    """The bytes of an image file.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        # OpenCV's own reader fails on some file names and says nothing when a file is missing.
        with FileIO(path) as file:  # without the layers of `Path.read_bytes`, which cost more than the reading
            return file.readall()
    except FileNotFoundError:
        raise DataError(f"{path}: no such image; give the folder of the images, or correct the label file") from None
    except OSError as error:
        raise DataError(f"{path}: the image cannot be read ({error.strerror})") from None


def decode_image(content: bytes, name: str) -> Image:
    """Decode the bytes of an image; ``name`` is for the message.

    Raises:
        DataError: the bytes are empty, cut off, or no image.
    """
    if not content:
        raise DataError(f"{name}: the image file is empty; copy it again, or leave it out")
    if cut_off(content):
        raise DataError(f"{name}: the image is cut off (its end is missing); copy it again, or leave it out")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise DataError(f"{name}: the image cannot be decoded ({error.err}); save it anew as JPEG or PNG") from None
    if image is None:
        raise DataError(
            f"{name}: not an image that can be decoded (it starts with {content[:8]!r}); save it as JPEG or PNG"
        )
    return np.asarray(image, dtype=np.uint8)


def cut_off(content: bytes) -> bool:
    """Whether the end of a JPEG, PNG or WebP is missing: decoders fill the rest with grey and only warn."""
    if content.startswith(b"\xff\xd8"):
        # Bytes may follow the end marker, and a thumbnail in the header has an end marker of its own.
        return not content.endswith(b"\xff\xd9") and content.rfind(b"\xff\xd9") < _scan_start(content)
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-64:] and b"IEND" not in content
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    return False


def _scan_start(content: bytes) -> int:
    """Where the picture of a JPEG begins, behind its header; its length where it never does."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == 0xDA:
            return at
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return len(content)


def image_size(path: Path | str) -> tuple[int, int]:
    """(height, width) as `read_image` would give it, mostly from the header alone.

    Raises:
        DataError: as `read_image`.
    """
    content = image_bytes(path)
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and b"eXIf" not in content:
        return int.from_bytes(content[20:24], "big"), int.from_bytes(content[16:20], "big")
    if content.startswith(b"\xff\xd8"):
        size = _jpeg_size(content)
        if size is not None:
            return size[::-1] if orientation(content) >= 5 else size
    height, width = decode_image(content, str(path)).shape[:2]
    return height, width


# Start-of-frame markers of JPEG; C4, C8 and CC are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _segments(content: bytes) -> list[tuple[int, bytes]]:
    """(marker, body) of each segment of a JPEG's header."""
    found, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        found.append((content[at + 1], content[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, or ``None`` where the header is odd."""
    for marker, body in _segments(content):
        if marker in _FRAMES and len(body) >= 5:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return (height, width) if height and width else None
    return None


def orientation(content: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 (upright) to 8; 5 and more trade height and width."""
    for marker, body in _segments(content):
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


def channels(content: bytes) -> str:
    """What an image file holds besides colour: ``"grey"``, ``"alpha"``, or empty where neither, or nothing is known."""
    if content.startswith(b"\x89PNG") and len(content) > 25:
        return {0: "grey", 4: "alpha", 6: "alpha"}.get(content[25], "")
    if content.startswith(b"\xff\xd8"):
        frame = next((body for marker, body in _segments(content) if marker in _FRAMES), b"")
        return "grey" if len(frame) > 5 and frame[5] == 1 else ""
    return ""
