"""Grids mixed on purpose, and the flip of one pixel, in image pixels."""

import pytest

from posekit.studies import grids

XY = grids.points(64, 0)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_ratio_and_half_pixel_differ_by_a_constant(stride):
    found = grids.mixed("ratio", "half_pixel", stride, XY)
    assert found["x"] == pytest.approx((stride - 1) / 2, abs=1e-3)
    assert grids.mixed("half_pixel", "ratio", stride, XY)["x"] == pytest.approx(-(stride - 1) / 2, abs=1e-3)
    assert grids.mixed("aligned", "aligned", stride, XY)["worst"] < 1e-3


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_residuals_of_flips(stride):
    ratio = grids.flipped("ratio", stride, XY)
    assert ratio["plain"] == pytest.approx(1 - stride, abs=0.02)
    assert ratio["plain_average"] == pytest.approx((1 - stride) / 2, abs=0.01)
    # HRNet's shift by one cell leaves a pixel in a single map, half a pixel in the mean.
    assert ratio["codec"] == pytest.approx(1, abs=0.05)
    assert ratio["codec_average"] == pytest.approx(0.5, abs=0.03)
    for kind in ("half_pixel", "aligned"):
        assert grids.flipped(kind, stride, XY)["plain"] == pytest.approx(0, abs=1e-3)


def test_oks_of_an_error_is_that_of_the_definition():
    import numpy as np

    assert grids.oks_of(np.zeros((2, 2))) == 1
    # A constant error of 1.5 px along both axes, averaged over the 17 sigmas by hand.
    sigmas = np.asarray(grids.SKELETONS["coco17"].oks_sigmas)
    by_hand = np.exp(-(2 * 1.5**2) / (2 * grids.PERSON * (2 * sigmas) ** 2)).mean()
    assert grids.oks_of(np.full((3, 2), 1.5)) == pytest.approx(by_hand)
