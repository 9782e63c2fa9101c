"""Fitted views and tiles: what they show, and whose instance is whose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.affine import invert, transform
from posekit.geometry.keypoints import Poses
from posekit.pipelines.views import Views

SIZE = (64, 96)
sides = st.integers(20, 900)


def test_one_view_shows_all_of_it():
    (matrix,) = Views().matrices((100, 200), SIZE)
    corners = transform(np.array([(0.0, 0.0), (200.0, 100.0)]), matrix)
    np.testing.assert_allclose(corners, [(0, 8), (96, 56)], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.floats(1.0, 4.0), st.floats(0, 0.6), st.integers(0, 10**6))
def test_tiles_cover_the_image_and_own_each_instance_once(height, width, zoom, overlap, seed):
    views = Views(zooms=(zoom,), overlap=overlap)
    made = views.matrices((height, width), SIZE)
    xy = np.random.default_rng(seed).random((40, 2)) * (width, height)
    shown = np.stack([transform(xy, matrix) for matrix in made])
    inside = ((shown >= -1e-6) & (shown <= np.array((SIZE[1], SIZE[0])) + 1e-6)).all(-1)
    assert inside.any(0).all()
    owners = np.zeros(40, int)
    for number, matrix in enumerate(made):
        here = transform(xy, matrix)
        poses = Poses(here[:, None], np.ones((40, 1)), np.arange(40.0), boxes=np.concatenate([here - 1, here + 1], -1))
        mine = views.own(poses, made, number, SIZE).instance_score.astype(int)
        # A tile owns nobody whom it does not show.
        assert inside[number, mine].all()
        owners[mine] += 1
    assert (owners >= 1).all()
    # Only those exactly between two tiles have two owners.
    assert (owners == 1).mean() > 0.8


def test_neighbouring_tiles_overlap_as_asked():
    made = Views(zooms=(2.0,), overlap=0.25).matrices((64, 96), SIZE)
    lefts = sorted({round(float(invert(matrix)[0, 2]), 6) for matrix in made})
    widths = 96 / 2
    gaps = np.diff(lefts)
    assert (gaps <= widths * 0.75 + 1e-6).all()
    assert lefts[0] == 0
    assert lefts[-1] == pytest.approx(96 - widths)


def test_tiles_keep_the_images_own_pixels():
    made = Views(tiles=True).matrices((256, 384), SIZE)
    assert {round(float(matrix[0, 0]), 6) for matrix in made} == {0.25, 1.0}
    # A small image is not enlarged.
    assert len(Views(tiles=True).matrices((32, 48), SIZE)) == 1


def test_views_that_are_none():
    with pytest.raises(ValidationError, match="zooms"):
        Views(zooms=())
    with pytest.raises(ValidationError, match="overlap"):
        Views(overlap=1.0)
