"""JPEGs that a decoder would finish with grey: found by their bytes, while sound ones of every make pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from broken import inside, jpeg, noisy, picture, turned

from posekit.data.dataset import ImageRecord
from posekit.data.errors import DataError
from posekit.data.image import decode_image
from posekit.data.image_check import check_pixels, overheard
from posekit.data.jpeg import ends_in_fill, frame, grey_corner, orientation, scan_fault, scan_start, stored_size

MAKES = {
    "plain": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "optimised": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "full colour": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


def coded(image, make="plain"):
    return cv2.imencode(".jpg", image, MAKES[make])[1].tobytes()


def grey_parts():
    """Images with exactly the grey that decoders fill with, where a photograph has letterbox bars and the like."""
    image = noisy(120, 160)
    below, above = image.copy(), image.copy()
    below[72:], above[:72] = 128, 128
    return {
        "below": below,
        "above": above,
        "around": np.pad(image, ((40, 40), (40, 40), (0, 0)), constant_values=128),
        "thin frame": np.pad(image, ((8, 8), (8, 8), (0, 0)), constant_values=128),
        "all": np.full((64, 64, 3), 128, np.uint8),
        "without colour": below[..., 0],
    }


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("part", grey_parts())
def test_grey_that_is_meant_is_no_damage(make, part):
    content = coded(grey_parts()[part], make)
    assert scan_fault(content) == ""
    assert not ends_in_fill(content)
    assert decode_image(content, "x").shape[2] == 3


@pytest.mark.parametrize("make", MAKES)
def test_sound_pictures_pass(make):
    content = coded(noisy(), make)
    for whole in (content, content + content, content + b"trailing", turned(content, 6)):
        assert scan_fault(whole) == ""
        decode_image(whole, "x")


def test_flat_pictures_are_no_holes():
    # With tables made for it a black picture is coded in zeros alone.
    for make in MAKES:
        content = coded(np.zeros((512, 512, 3), np.uint8), make)
        assert scan_fault(content) == ""
    assert bytes(128) in coded(np.zeros((512, 512, 3), np.uint8), "optimised")


def test_thumbnails_and_previews_are_no_second_header():
    preview = jpeg(picture())
    content = coded(noisy())
    within = content[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview + content[2:]
    assert scan_fault(within) == ""
    assert scan_fault(within + preview) == ""
    decode_image(within + preview, "x")


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    ("put", "instead", "told"),
    [
        (jpeg(), 0, "the header of another JPEG inside its picture"),
        (jpeg()[:200], 0, "the header of another JPEG inside its picture"),
        (b"\xff\xd8", 0, "the header of another JPEG inside its picture"),
        (b"\xff" * 300, 300, "a hole in its picture"),
    ],
)
def test_what_does_not_belong_into_a_picture_is_found(make, put, instead, told):
    with pytest.raises(DataError, match=f"x: the image has {told}.*copy it again, or leave it out"):
        decode_image(inside(coded(noisy(), make), put, instead), "x")


@pytest.mark.parametrize("make", [make for make in MAKES if make != "progressive"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_an_end_that_comes_too_early_is_found(make, turn):
    content = turned(inside(coded(noisy(), make), b"\xff\xd9", 10**6), turn)
    with pytest.raises(DataError, match=r"x: the image ends too early \(its last rows are missing"):
        decode_image(content, "x")


def test_zeros_within_the_codes_are_found():
    with pytest.raises(DataError, match="a hole in its picture"):
        decode_image(inside(coded(noisy()), bytes(200), 200), "x")


def test_a_progressive_picture_needs_more_than_its_first_scan():
    content = coded(noisy(), "progressive")
    assert frame(content)[0] == 0xC2
    first = content[: content.find(b"\xff\xda", scan_start(content) + 2)] + b"\xff\xd9"
    assert scan_fault(first) == "lacks the later scans of its progressive picture"


def test_padding_before_markers_is_allowed():
    content = coded(noisy())
    padded = content[:2] + b"\xff\xff" + content[2:]
    assert stored_size(padded) == (96, 128)
    assert scan_start(padded) == scan_start(content) + 2
    assert orientation(turned(padded, 6)) == 6
    decode_image(padded, "x")


def test_a_corner_is_a_hint_alone():
    image = np.zeros((4, 4, 3), np.uint8)
    assert not grey_corner(image)
    image[0, -1] = 128
    assert grey_corner(image)
    image[0, -1, 1] = 127
    assert not grey_corner(image)


def test_the_decoder_is_overheard(capfd):
    damaged = inside(coded(noisy(), "restarts"), b"", 700)
    flags = cv2.IMREAD_COLOR_RGB
    image, complaint = overheard(lambda: cv2.imdecode(np.frombuffer(damaged, np.uint8), flags))
    assert image.shape == (96, 128, 3)
    assert complaint.startswith("Corrupt JPEG data: ")
    assert not any(c.isdigit() for c in complaint)
    assert overheard(lambda: decode_image(coded(noisy()), "x"))[1] == ""
    assert "Corrupt" not in capfd.readouterr().err


def test_other_words_still_reach_the_standard_error(capfd):
    import os

    assert overheard(lambda: os.write(2, b"something else\n")) == (15, "")
    assert "something else" in capfd.readouterr().err
    with pytest.raises(ZeroDivisionError):
        overheard(lambda: 1 / 0)
    os.write(2, b"still there\n")
    assert "still there" in capfd.readouterr().err


@pytest.mark.parametrize("make", ["plain", "progressive", "restarts"])
def test_the_check_tells_of_damage_that_only_the_decoder_sees(tmp_path, make):
    path = tmp_path / "a.jpg"
    path.write_bytes(inside(coded(noisy(), make), b"", 700))
    faults = list(check_pixels(ImageRecord(str(path), 128, 96, 1)))
    assert any("damaged" in what for _, what, _ in faults)
    path.write_bytes(coded(noisy(), make))
    assert list(check_pixels(ImageRecord(str(path), 128, 96, 1))) == []
