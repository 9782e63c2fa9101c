"""Images from files: colours, EXIF, grey, alpha, odd names, cut-off files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from broken import jpeg, picture, turned

from posekit.data.errors import DataError, listed
from posekit.data.image import channels, cut_off, image_size, read_image
from posekit.data.jpeg import orientation


def test_colours_are_rgb(tmp_path):
    image = np.zeros((16, 12, 3), np.uint8)
    image[..., 0] = 250  # red first
    path = tmp_path / "red.png"
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(read_image(path), image)


@pytest.mark.parametrize("name", ["ünïcode 名前.jpg", "with space.jpg", "no_ending"])
def test_any_file_name_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(jpeg())
    assert read_image(tmp_path / name).shape == (20, 30, 3)


@pytest.mark.parametrize("orientation_", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation_):
    path = tmp_path / "a.jpg"
    path.write_bytes(turned(jpeg(), orientation_))
    upright = picture()[..., ::-1]
    # The stored image is what the camera saw; EXIF says where its first row and column belong.
    steps = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright),
    }
    expected = steps[orientation_]
    image = read_image(path)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8
    assert orientation(path.read_bytes()) == orientation_
    assert image_size(path) == image.shape[:2]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp"])
def test_the_size_is_that_of_the_image(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(cv2.imencode(ending, picture())[1].tobytes())
    assert image_size(path) == read_image(path).shape[:2] == (20, 30)


def test_grey_alpha_and_deep_images_become_rgb(tmp_path):
    grey = picture()[..., 0]
    alpha = np.concatenate([picture(), picture()[..., :1]], -1)
    for name, image, kind in (("g", grey, "grey"), ("a", alpha, "alpha"), ("d", picture().astype(np.uint16) * 256, "")):
        content = cv2.imencode(".png", image)[1].tobytes()
        (tmp_path / name).write_bytes(content)
        read = read_image(tmp_path / name)
        assert (read.shape, read.dtype) == ((20, 30, 3), np.uint8)
        assert channels(content) == kind
    np.testing.assert_array_equal(read_image(tmp_path / "g"), np.repeat(grey[..., None], 3, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "a"), picture()[..., ::-1])


def test_a_grey_jpeg_is_told(tmp_path):
    assert channels(jpeg(picture()[..., 0])) == "grey"
    assert channels(jpeg()) == ""
    assert channels(b"BM") == ""


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_whole_images_are_not_called_cut_off(ending):
    content = cv2.imencode(ending, picture())[1].tobytes()
    assert not cut_off(content)
    assert not cut_off(content + b"trailing bytes")
    assert cut_off(content[: len(content) // 2])


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="the image cannot be read"):
        read_image(tmp_path)


def test_an_image_too_large_to_decode_is_told(tmp_path):
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (2**20).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"\0" * 4
    (tmp_path / "a.png").write_bytes(head + b"\0\0\0\0IEND\xaeB`\x82")
    with pytest.raises(DataError, match=r"cannot be decoded|not an image that can be decoded"):
        read_image(tmp_path / "a.png")


def test_long_lists_are_cut():
    assert listed([1, 2, 3]) == "1, 2, 3"
    assert listed(list(range(8))) == "0, 1, 2, 3, 4 and 3 more"
