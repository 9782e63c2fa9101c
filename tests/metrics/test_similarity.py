"""OKS against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.metrics.similarity import oks, oks_between
from posekit.skeletons import SKELETONS

COCO = SKELETONS["coco17"]
SIGMAS = COCO.oks_sigmas
M = 4


def labelled_only(*names):
    mask = np.zeros((1, 17), bool)
    mask[0, list(COCO.index(names))] = True
    return mask


def moved(**steps):
    xy = np.zeros((1, 17, 2))
    for name, step in steps.items():
        xy[0, COCO.index([name])[0], 0] = step
    return xy


def test_three_points_by_hand():
    truth, area = np.zeros((1, 17, 2)), np.array([5000.0])
    xy = moved(nose=5, left_wrist=12, left_ankle=20)
    for name, expected in (("nose", 0.396707), ("left_wrist", 0.391988), ("left_ankle", 0.282955)):
        assert oks(xy, truth, labelled_only(name), area, SIGMAS)[0] == pytest.approx(expected, abs=1e-6)
    together = oks(xy, truth, labelled_only("nose", "left_wrist", "left_ankle"), area, SIGMAS)
    assert together[0] == pytest.approx(0.357217, abs=1e-6)


@pytest.mark.parametrize(("name", "distance"), [("nose", 6.1225), ("left_hip", 25.1966)])
def test_distance_of_one_half(name, distance):
    found = oks(moved(**{name: distance}), np.zeros((1, 17, 2)), labelled_only(name), np.array([1e4]), SIGMAS)
    assert found[0] == pytest.approx(0.5, abs=1e-4)


def test_nothing_to_compare_is_nan_and_no_number_is_a_miss():
    truth, xy = np.zeros((M, 17, 2)), np.zeros((M, 17, 2))
    labelled = np.ones((M, 17), bool)
    labelled[0] = False
    xy[3] = np.nan
    found = oks(xy, truth, labelled, np.array([100.0, 0.0, 100.0, 100.0]), SIGMAS)
    np.testing.assert_allclose(found, [np.nan, np.nan, 1, 0])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.floats(0.1, 20), st.floats(-50, 50))
def test_oks_minds_neither_scale_nor_place(seed, scale, shift):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, (M, 17, 2))
    xy = truth + rng.normal(size=truth.shape) * 5
    labelled, area = rng.random((M, 17)) < 0.7, rng.uniform(1000, 9000, M)
    expected = oks(xy, truth, labelled, area, SIGMAS)
    np.testing.assert_allclose(
        oks(xy * scale + shift, truth * scale + shift, labelled, area * scale**2, SIGMAS), expected, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("shift", "area", "expected"), [(1, 1e4, 0.993990), (3, 1e4, 0.948713), (20, 1e4, 0.331114), (3, 2500, 0.826072)]
)
def test_between_predictions_by_hand(shift, area, expected):
    pose = np.random.default_rng(0).uniform(0, 100, (1, 17, 2))
    size = np.array([area], dtype=float)
    found = oks_between(pose, pose + np.array([shift, 0.0]), size, size, SIGMAS)
    np.testing.assert_allclose(found, [[expected]], atol=1e-6)


def test_between_compares_all_with_all_at_the_mean_area():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 30, (3, 17, 2)), rng.uniform(0, 30, (M, 17, 2))
    area_a, area_b = rng.uniform(500, 900, 3), rng.uniform(500, 900, M)
    found = oks_between(a, b, area_a, area_b, SIGMAS)
    assert found.shape == (3, M)
    np.testing.assert_allclose(found, oks_between(b, a, area_b, area_a, SIGMAS).T)
    every = np.ones((1, 17), bool)
    for i in range(3):
        for j in range(M):
            alone = oks(a[[i]], b[[j]], every, np.array([(area_a[i] + area_b[j]) / 2]), SIGMAS)
            assert found[i, j] == pytest.approx(alone[0])


def test_one_sigma_a_point():
    with pytest.raises(ValueError, match="one sigma a point, 17; got 14"):
        oks(np.zeros((M, 17, 2)), np.zeros((M, 17, 2)), np.ones((M, 17), bool), np.ones(M), SIGMAS[:14])
    with pytest.raises(ValueError, match="one sigma a point, 17; got 14"):
        oks_between(np.zeros((M, 17, 2)), np.zeros((3, 17, 2)), np.ones(M), np.ones(3), SIGMAS[:14])
