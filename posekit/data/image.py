"""Read images from files: always RGB, upright and complete, or an error with the reason."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data import jpeg
from posekit.data.bit_depth import declared_bits, decode_deep, tiff_samples
from posekit.data.errors import DataError

Image = NDArray[np.uint8]


class ImageError(DataError):
    """An image cannot be used; ``many`` is the message for several images, and ``fix`` what to do."""

    many: str = ""
    fix: str = ""


def _error(name: str, what: str, many: str, fix: str) -> ImageError:
    """The error of one image; ``{it}`` in the fix is replaced by "it" or "them"."""
    # Constructed from one text, so that it can be pickled by a worker process.
    error = ImageError(f"{name}: {what}; {fix.format(it='it')}")
    error.many, error.fix = many, fix.format(it="them")
    return error


def read_image(path: Path | str) -> Image:
    """Decode an image: EXIF orientation applied, grey to RGB, alpha dropped, more than 8 bits to 8 bits.

    Values of more than 8 bits are scaled by the bits that the image uses, see `decode_deep`.

    Args:
        path: of a JPEG, PNG, WebP, BMP, TIFF or another format that OpenCV decodes.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: the file is missing, empty, truncated, damaged, not an image, or an image of floating-point numbers.
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
        DataError: as `read_image`, of bytes.
    """
    return decode_with_bits(content, name)[0]


def decode_with_bits(content: bytes, name: str) -> tuple[Image, int]:
    """`decode_image`, and how many bits the values of the file use.

    Raises:
        DataError: as `decode_image`.
    """
    if not content:
        raise _error(name, "the image file is empty", "image files are empty", AGAIN)
    if cut_off(content):
        raise _error(name, "the image is cut off (its end is missing)", "images are cut off", AGAIN)
    is_jpeg = jpeg.is_jpeg(content)
    if is_jpeg and (fault := jpeg.scan_fault(content)):
        raise _broken(name, fault)
    try:
        if not is_jpeg and declared_bits(content) > 8:
            decoded = decode_deep(content)
        else:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
            decoded = None if image is None else (np.asarray(image, np.uint8), 8)
    except cv2.error as error:
        what = f"the image cannot be decoded ({error.err})"
        raise _error(name, what, "images cannot be decoded", "save {it} anew as JPEG or PNG") from None
    if decoded is None:
        raise _no_image(content, name)
    if is_jpeg and jpeg.grey_corner(decoded[0]) and jpeg.ends_in_fill(content):
        raise _broken(name, "ends too early (its last rows are missing, and would be read as grey)")
    return decoded


AGAIN = "copy {it} again, or leave {it} out"


def _broken(name: str, fault: str) -> ImageError:
    return _error(name, f"the image {fault}", f"images are damaged: each {fault}", AGAIN)


def _no_image(content: bytes, name: str) -> ImageError:
    bits, floating = tiff_samples(content)
    if floating or bits > 16:
        kind = f"{bits}-bit {'floating-point' if floating else 'whole'} numbers"
        return _error(
            name,
            f"a TIFF of {kind}, which have no defined black and white",
            f"images are TIFFs of {kind}, which have no defined black and white",
            "choose a range, the same for all images, and save {it} as 8-bit PNG: "
            "np.clip((values - black) / (white - black) * 255, 0, 255).astype(np.uint8)",
        )
    if jpeg.is_jpeg(content) or content.startswith(b"\x89PNG"):
        return _broken(name, "cannot be decoded, though its header is right: it is damaged")
    what = f"not an image that can be decoded (it starts with {content[:8]!r})"
    return _error(name, what, "files are not images that can be decoded", "save {it} as JPEG or PNG")


def cut_off(content: bytes) -> bool:
    """Whether the end of a JPEG, PNG or WebP is missing: decoders only warn and fill the rest with grey."""
    if jpeg.is_jpeg(content):
        return jpeg.cut_off(content)
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-64:] and b"IEND" not in content
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    return False


def image_size(path: Path | str) -> tuple[int, int]:
    """(height, width) as from `read_image`; in most cases only the header is read.

    Raises:
        DataError: as `read_image`.
    """
    content = image_bytes(path)
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and b"eXIf" not in content:
        return int.from_bytes(content[20:24], "big"), int.from_bytes(content[16:20], "big")
    if jpeg.is_jpeg(content):
        size = jpeg.stored_size(content)
        if size is not None:
            return size[::-1] if jpeg.orientation(content) >= 5 else size
    height, width = decode_image(content, str(path)).shape[:2]
    return height, width


def channels(content: bytes) -> str:
    """``"grey"`` or ``"alpha"`` for an image file that is grey or has alpha; else, or if unknown, empty."""
    if content.startswith(b"\x89PNG") and len(content) > 25:
        return {0: "grey", 4: "alpha", 6: "alpha"}.get(content[25], "")
    if jpeg.is_jpeg(content):
        frame = jpeg.frame(content)[1]
        return "grey" if len(frame) > 5 and frame[5] == 1 else ""
    return ""
