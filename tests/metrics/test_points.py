"""PCK, NME, AUC, EPE against numbers worked out by hand and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import K

from posekit.metrics import norms, points
from posekit.skeletons import SKELETONS

M = 7
THREE = np.array([[5.0], [0.5], [10.0]])  # errors of one point on three images
ALL = np.ones((3, 1), bool)


def random_case(seed):
    rng = np.random.default_rng(seed)
    return rng.exponential(10, (M, K)), rng.random((M, K)) < 0.6, rng.uniform(20, 80, M)


def norm(value):
    return np.full(3, float(value))


def test_errors_are_distances():
    truth = np.random.default_rng(0).uniform(0, 50, (M, K, 2))
    moved = truth + np.array([3.0, -4.0])
    np.testing.assert_allclose(points.errors(moved.astype(np.float32), truth), np.full((M, K), 5.0), atol=1e-4)


def test_errors_may_scale_the_axes_apart():
    truth = np.zeros((M, K, 2))
    unit = np.stack([np.arange(1.0, M + 1), np.full(M, 2.0)], 1)
    found = points.errors(truth + np.array([3.0, 8.0]), truth, unit)
    np.testing.assert_allclose(found, np.hypot(3 / np.arange(1, M + 1), 4)[:, None] * np.ones(K))


def test_a_prediction_that_is_no_number_is_infinitely_far():
    truth = np.zeros((M, K, 2))
    xy = truth.copy()
    xy[2, 1, 0] = np.nan
    xy[3, 1, 1] = np.inf
    error = points.errors(xy, truth)
    assert np.isinf(error[[2, 3], 1]).all()
    labelled = np.ones((M, K), bool)
    assert points.pck(error, labelled, np.full(M, 10.0)).values[1] == pytest.approx((M - 2) / M)
    each = points.nme_each(error, labelled, np.full(M, 10.0))
    assert points.failure_rate(each) == pytest.approx(2 / M)
    assert points.area_under(each) == pytest.approx((M - 2) / M)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"the same shape \(\.\.\., K, 2\); got \(7, 5, 2\) and \(5, 2\)"):
        points.errors(np.zeros((M, K, 2)), np.zeros((K, 2)))
    with pytest.raises(ValueError, match=r"the same shape \(M, K\); got \(7, 5\) and \(5, 7\)"):
        points.epe(np.zeros((M, K)), np.ones((K, M), bool))
    with pytest.raises(ValueError, match=r"one length an instance, shape \(7,\); got \(5,\)"):
        points.nme(np.zeros((M, K)), np.ones((M, K), bool), np.ones(K))


def test_published_vectors():
    assert points.epe(THREE, ALL).pooled == pytest.approx(5.166667, abs=1e-6)
    assert points.pck(THREE, ALL, norm(100), 0.05).mean == pytest.approx(1 / 3)
    assert points.pck(THREE, ALL, norm(100), 0.05, strict=False).mean == pytest.approx(2 / 3)
    assert points.nme(THREE, ALL, norm(50)).pooled == pytest.approx(0.103333, abs=1e-6)
    heads = norms.head_box(np.tile([0.0, 0.0, 30.0, 40.0], (3, 1)))
    np.testing.assert_allclose(heads, 30)
    np.testing.assert_allclose(points.nme_each(THREE, ALL, heads), [0.166667, 0.016667, 0.333333], atol=1e-6)
    assert points.auc(THREE, ALL, norm(30)) == pytest.approx(0.80)
    exact = points.area_under(points.nme_each(THREE, ALL, norm(30)), 1.0)
    # A numerical integral with 1001 nodes gives 0.8278.
    assert exact == pytest.approx(0.8278, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.floats(0.05, 1), st.booleans())
def test_pck_is_the_loop_it_stands_for(seed, threshold, strict):
    error, labelled, lengths = random_case(seed)
    found = points.pck(error, labelled, lengths, threshold, strict=strict)
    shares = []
    for k in range(K):
        scaled = [error[m, k] / lengths[m] for m in range(M) if labelled[m, k]]
        if scaled:
            shares.append(sum(s < threshold or (s == threshold and not strict) for s in scaled) / len(scaled))
            assert found.values[k] == pytest.approx(shares[-1])
        else:
            assert np.isnan(found.values[k])
        assert found.counts[k] == len(scaled)
    assert found.mean == pytest.approx(np.mean(shares))


def test_mean_weighs_points_alike_and_pooled_weighs_labels():
    error = np.array([[1.0, 9], [1, 9], [1, 9]])
    labelled = np.array([[True, False], [True, False], [True, True]])
    share = points.pck(error, labelled, norm(10), 0.5)
    assert share.mean == pytest.approx(0.5)
    assert share.pooled == pytest.approx(0.75)


def test_points_never_labelled_do_not_count():
    labelled = np.zeros((M, K), bool)
    labelled[:, 2] = True
    share = points.pck(np.ones((M, K)), labelled, np.full(M, 10.0))
    assert share.mean == share.pooled == 1
    assert np.isnan(share.values[[0, 1, 3, 4]]).all()


@pytest.mark.parametrize("bad", [0.0, -3.0, np.nan, np.inf])
def test_an_unusable_norm_leaves_its_instance_out(bad):
    lengths = np.array([100.0, bad, 100.0])
    assert points.pck(THREE, ALL, lengths, 0.06).mean == pytest.approx(0.5)
    assert points.nme(THREE, ALL, lengths).pooled == pytest.approx(0.075)
    np.testing.assert_allclose(points.nme_each(THREE, ALL, lengths), [0.05, np.nan, 0.1])


def test_what_stands_in_an_unlabelled_place_does_not_matter():
    error, labelled, lengths = random_case(3)
    wild = np.where(labelled, error, np.nan)
    for measure in (points.pck, points.nme):
        np.testing.assert_array_equal(measure(wild, labelled, lengths).values, measure(error, labelled, lengths).values)
    np.testing.assert_array_equal(points.median(wild, labelled)[0], points.median(error, labelled)[0])
    np.testing.assert_array_equal(points.nme_each(wild, labelled, lengths), points.nme_each(error, labelled, lengths))


@pytest.mark.parametrize("rows", [0, M])
def test_nothing_labelled_is_nan_without_a_warning(rows):
    error, labelled, lengths = np.zeros((rows, K)), np.zeros((rows, K), bool), np.ones(rows)
    each = points.nme_each(error, labelled, lengths)
    figures = [
        points.pck(error, labelled, lengths).mean,
        points.pck(error, labelled, lengths).pooled,
        points.nme(error, labelled, lengths).pooled,
        points.auc(error, labelled, lengths),
        points.median(error, labelled)[1],
        points.failure_rate(each),
        points.area_under(each),
    ]
    assert np.isnan(figures).all()
    assert np.isnan(points.median(error, labelled)[0]).all()
    assert points.median(error, labelled)[0].shape == (K,)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999))
def test_median_is_numpys_over_what_counts(seed):
    error, labelled, lengths = random_case(seed)
    labelled[:, 1] = False
    each, pooled = points.median(error, labelled, lengths)
    scaled = error / lengths[:, None]
    for k in range(K):
        counted = scaled[labelled[:, k], k]
        np.testing.assert_allclose(each[k], np.median(counted) if len(counted) else np.nan)
    assert pooled == pytest.approx(np.median(scaled[labelled]))


def test_pckh_leaves_points_out_and_counts_the_edge():
    mpii = SKELETONS["mpii16"]
    left_out = mpii.index(("pelvis", "thorax"))
    assert left_out == (6, 7)
    error = np.full((M, 16), 15.0)
    error[:, 6:8] = 1000
    error[0, 0] = 15.1
    labelled = np.ones((M, 16), bool)
    share = points.pckh(error, labelled, np.full(M, 30.0), left_out)
    assert share.pooled == pytest.approx(1 - 1 / (14 * M))
    assert share.counts[[6, 7]].sum() == 0
    assert labelled.all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999))
def test_auc_is_the_mean_of_its_pcks_and_area_under_its_limit(seed):
    error, labelled, lengths = random_case(seed)
    steps = np.linspace(0, 1, 1001)
    mean = np.mean([points.pck(error, labelled, lengths, t).mean for t in steps])
    assert points.auc(error, labelled, lengths, list(steps)) == pytest.approx(mean)
    each = points.nme_each(error, labelled, lengths)
    area = np.mean([np.mean(each[~np.isnan(each)] <= t) for t in np.linspace(0, 0.4, 2001)])
    assert points.area_under(each, 0.4) == pytest.approx(area, abs=1e-3)


def test_failures_are_those_above_the_threshold():
    assert points.failure_rate(np.array([0.05, 0.1, 0.11, np.nan, 2.0])) == pytest.approx(0.5)
