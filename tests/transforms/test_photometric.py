from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, dotted
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.transforms.photometric import Photometric, _colour_matrix, _noisy, _quantiles, _recolour

OFF = Photometric(brightness=0, contrast=0)
FULL = Photometric(saturation=0.5, hue=30, grey=0.2, blur=1, noise=1, jpeg=1)


def picture():
    return np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("config", [Photometric(), FULL], ids=["default", "full"])
def test_only_the_image_changes(config):
    sample = replace(dotted(), image=picture())
    before = sample.image.copy()
    out = config(sample, np.random.default_rng(3), BODY)
    assert out.image.dtype == np.uint8 and out.image.shape == before.shape and (out.image != before).any()
    np.testing.assert_array_equal(sample.image, before)
    assert out.instances is sample.instances and out.to_source is sample.to_source


def test_off_is_the_identity():
    sample = dotted()
    assert OFF(sample, np.random.default_rng(0), BODY) is sample


def test_the_same_draws_give_the_same_picture():
    sample = replace(dotted(), image=picture())
    one, two, three = (FULL(sample, np.random.default_rng(s), BODY).image for s in (4, 4, 5))
    np.testing.assert_array_equal(one, two)
    assert (one != three).any()


def test_light_and_contrast_by_hand():
    # 100 -> 100 * 0.5 = 50; contrast 2 about 127.5: (100 - 127.5) * 2 + 127.5 = 72.5; clipped at 255.
    image = np.array([[[100, 200, 255], [0, 60, 110]]], np.uint8)
    plain = {"saturation": 1.0, "hue": 0.0}
    assert _recolour(image, light=0.5, contrast=1, **plain).tolist() == [[[50, 100, 128], [0, 30, 55]]]
    assert np.abs(_recolour(image, light=1, contrast=2, **plain)[0, 0] - np.array([72.5, 255, 255])).max() <= 0.5


@given(saturation=st.floats(0, 2), hue=st.floats(-180, 180))
@settings(deadline=None, max_examples=25)
def test_colour_changes_leave_grey_alone(saturation, hue):
    matrix = _colour_matrix(saturation, hue)
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-9)


def test_a_third_of_a_turn_permutes_the_primaries():
    np.testing.assert_allclose(_colour_matrix(1, 120) @ [1, 0, 0], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(_colour_matrix(1, -120) @ [1, 0, 0], [0, 0, 1], atol=1e-9)


def test_grey_pictures_have_equal_channels_of_the_luma():
    sample = replace(dotted(), image=picture())
    out = Photometric(brightness=0, contrast=0, hue=90, grey=1)(sample, np.random.default_rng(0), BODY).image
    luma = picture() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(out - luma[..., None]).max() <= 0.6


def test_noise_is_normal_and_of_its_level():
    assert abs(_quantiles().std() - 1) < 0.02 and abs(_quantiles().mean()) < 1e-9
    grey = np.full((120, 90, 3), 128, np.uint8)
    noise = _noisy(grey, 10.0, np.random.default_rng(2)).astype(float) - 128
    assert abs(noise.mean()) < 0.3 and abs(noise.std() - 10) < 0.3


def test_blur_and_jpeg_move_nothing():
    sample = dotted(1)
    out = Photometric(brightness=0, contrast=0, blur=1, jpeg=1)(sample, np.random.default_rng(1), BODY)
    light = out.image.astype(float)[..., 1]
    light[light < 20] = 0
    x = (light.sum(0) * (np.arange(light.shape[1]) + 0.5)).sum() / light.sum()
    assert abs(x - sample.instances.keypoints.xy[0, 1, 0]) < 0.3


def test_messages():
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Photometric(brightness=3)
    with pytest.raises(ValidationError, match="color"):
        Photometric(color=1)
