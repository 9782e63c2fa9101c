"""Images of more than eight bits: read as bright as they are, or refused with the way to convert them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from broken import picture

from posekit.data.bit_depth import declared_bits, decode_deep, tiff_samples
from posekit.data.dataset import ImageRecord
from posekit.data.errors import DataError
from posekit.data.image import decode_image, decode_with_bits
from posekit.data.image_check import check_pixels


def encoded(ending, image):
    return cv2.imencode(ending, image)[1].tobytes()


def plain_map(values, bits):
    """A PGM of big-endian values, which declares its largest one."""
    height, width = values.shape
    return f"P5\n# made here\n{width} {height}\n{(1 << bits) - 1}\n".encode() + values.astype(">u2").tobytes()


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize(("factor", "bits"), [(1, 8), (4, 10), (16, 12), (64, 14), (256, 16)])
def test_values_are_scaled_by_the_bits_that_they_use(ending, factor, bits):
    colour = picture()  # up to 232
    content = encoded(ending, colour.astype(np.uint16) * factor)
    image, used = decode_with_bits(content, "x")
    assert (image.dtype, used) == (np.uint8, bits)
    np.testing.assert_array_equal(image, colour[..., ::-1])
    assert declared_bits(content) == 16


def test_low_bits_are_dropped_not_rounded():
    deep = np.full((4, 5, 3), 4095, np.uint16)
    deep[0] = 15
    image = decode_image(encoded(".png", deep), "x")
    assert image[0].max() == 0
    assert image[1:].min() == 255


def test_grey_and_alpha_and_signed_deep_images():
    grey = picture()[..., 0].astype(np.uint16) * 16
    for content in (encoded(".png", grey), encoded(".tif", grey.astype(np.int16)), plain_map(grey, 12)):
        np.testing.assert_array_equal(decode_image(content, "x"), np.repeat(picture()[..., :1], 3, -1))
    alpha = np.concatenate([picture(), picture()[..., :1]], -1).astype(np.uint16) * 16
    np.testing.assert_array_equal(decode_image(encoded(".png", alpha), "x"), picture()[..., ::-1])


def test_what_the_header_declares():
    values = picture()[..., 0].astype(np.uint16)
    assert declared_bits(encoded(".png", picture())) == 8
    assert declared_bits(encoded(".tif", picture())) == 8
    box = b"\0\0\0\x0cjP  \r\n\x87\n" + b"....jp2h....ihdr" + bytes(8) + b"\0\x03"
    assert declared_bits(box + b"\x0b\x07") == 12
    assert declared_bits(box) == 8
    assert declared_bits(plain_map(values, 12)) == 12
    assert declared_bits(b"P6 3 2 255 ") == 8
    assert declared_bits(encoded(".jpg", picture())) == declared_bits(b"") == declared_bits(b"II*\0") == 8
    assert declared_bits(b"\xff\x4f\xff\x51" + bytes(38) + b"\x0b") == 12
    assert tiff_samples(encoded(".tif", picture().astype(np.float32))) == (32, True)
    assert tiff_samples(b"MM\0*\0\0\0\x08\0\x01\x01\x02\0\x03\0\0\0\x01\0\x10\0\0") == (16, False)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (picture().astype(np.float32) / 255, "32-bit floating-point numbers"),
        (picture()[..., 0].astype(np.float64), "64-bit floating-point numbers"),
        (picture().astype(np.int32), "32-bit whole numbers"),
    ],
)
def test_values_without_an_agreed_range_are_refused_with_the_way_out(image, told):
    fix = r"choose a range, the same for all images, and save it as 8-bit PNG: np\.clip\(\(values - black\)"
    with pytest.raises(DataError, match=f"x: a TIFF of {told}, which have no defined black and white; {fix}"):
        decode_image(encoded(".tif", image), "x")


def test_negative_values_are_refused():
    image = picture()[..., 0].astype(np.int16) - 100
    assert decode_deep(encoded(".tif", image)) is None
    with pytest.raises(DataError, match="x: not an image that can be decoded"):
        decode_image(encoded(".tif", image), "x")


@pytest.mark.parametrize(
    ("content", "severity", "what"),
    [
        (encoded(".png", picture().astype(np.uint16) * 16), "warning", "images of 16 bits use only 12 of them"),
        (encoded(".png", picture().astype(np.uint16) * 256), "info", "images have 16 bits; the upper 8 are read"),
        (plain_map(picture()[..., 0].astype(np.uint16) * 16, 12), "info", "images have 12 bits; the upper 8 are read"),
        (encoded(".tif", picture().astype(np.float32)), "error", "images are TIFFs of 32-bit floating-point numbers"),
    ],
)
def test_the_check_tells_of_depths(tmp_path, content, severity, what):
    path = tmp_path / "a"
    path.write_bytes(content)
    ((found, words, _),) = check_pixels(ImageRecord(str(path), 30, 20, 1))
    assert found == severity
    assert words.startswith(what)
