"""Letterbox views and tiles: what they show, and which tile keeps which instance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.affine import invert, transform
from posekit.geometry.framing import Crop, Letterbox, own_poses
from posekit.geometry.keypoints import Poses

SIZE = (64, 96)
sides = st.integers(20, 900)


def test_one_view_shows_all_of_it():
    (matrix,) = Letterbox().frames((100, 200), None, SIZE)
    corners = transform(np.array([(0.0, 0.0), (200.0, 100.0)]), matrix)
    np.testing.assert_allclose(corners, [(0, 8), (96, 56)], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.floats(1.0, 4.0), st.floats(0, 0.6), st.integers(0, 10**6))
def test_tiles_cover_the_image_and_own_each_instance_once(height, width, scale, overlap, seed):
    made = Letterbox(scales=(scale,), overlap=overlap).frames((height, width), None, SIZE)
    xy = np.random.default_rng(seed).random((40, 2)) * (width, height)
    shown = np.stack([transform(xy, matrix) for matrix in made])
    inside = ((shown >= -1e-6) & (shown <= np.array((SIZE[1], SIZE[0])) + 1e-6)).all(-1)
    assert inside.any(0).all()
    count = np.zeros(40, int)
    for number, matrix in enumerate(made):
        here = transform(xy, matrix)
        poses = Poses(here[:, None], np.ones((40, 1)), np.arange(40.0), boxes=np.concatenate([here - 1, here + 1], -1))
        mine = own_poses(poses, made, number, SIZE).instance_score.astype(int)
        # A tile keeps only people inside it.
        assert inside[number, mine].all()
        count[mine] += 1
    assert (count >= 1).all()
    # Only those exactly between two tiles are kept by both.
    assert (count == 1).mean() > 0.8


def test_neighbouring_tiles_overlap_as_asked():
    made = Letterbox(scales=(2.0,), overlap=0.25).frames((64, 96), None, SIZE)
    lefts = sorted({round(float(invert(matrix)[0, 2]), 6) for matrix in made})
    widths = 96 / 2
    gaps = np.diff(lefts)
    assert (gaps <= widths * 0.75 + 1e-6).all()
    assert lefts[0] == 0
    assert lefts[-1] == pytest.approx(96 - widths)


def test_tiles_keep_the_images_own_pixels():
    made = Letterbox(tiles=True).frames((256, 384), None, SIZE)
    assert {round(float(matrix[0, 0]), 6) for matrix in made} == {0.25, 1.0}
    # A small image is not enlarged.
    assert len(Letterbox(tiles=True).frames((32, 48), None, SIZE)) == 1


def test_framings_that_cannot_be():
    with pytest.raises(ValidationError, match="scales"):
        Letterbox(scales=())
    with pytest.raises(ValidationError, match="overlap"):
        Letterbox(overlap=1.0)
    with pytest.raises(ValidationError, match="padding"):
        Crop(padding=0)


def test_a_crop_shows_its_padded_box_and_without_boxes_the_image():
    boxes = np.array([[10.0, 20.0, 50.0, 60.0], [0.0, 0.0, 8.0, 4.0]])
    first, second = Crop(padding=2.0).frames((100, 200), boxes, (64, 64))
    np.testing.assert_allclose(transform(boxes[0].reshape(2, 2), first), [(16, 16), (48, 48)])
    np.testing.assert_allclose(transform(boxes[1].reshape(2, 2), second), [(16, 24), (48, 40)])
    (alone,) = Crop(padding=1.0).frames((100, 200), None, (64, 64))
    np.testing.assert_allclose(alone, Letterbox().frames((100, 200), None, (64, 64))[0])


def test_a_letterbox_wants_no_boxes():
    with pytest.raises(ValueError, match="finds instances itself: leave out the boxes"):
        Letterbox().frames((100, 200), np.zeros((1, 4)), SIZE)
