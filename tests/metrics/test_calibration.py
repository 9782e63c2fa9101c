"""Calibration of scores: reliability tables by hand, and recovery of known curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.skeleton import Skeleton
from posekit.metrics.calibration import EDGE, HIGHEST, UNITS, Calibration, fit, found, reliability, unit_of
from posekit.metrics.protocols import Comparison, fitting
from posekit.skeletons import SKELETONS

SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=40)


def drawn(calibration, count=40_000, seed=0):
    """Scores, and truths as likely as the calibration says."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.02, 0.98, count)
    return score, rng.random(count) < calibration.apply(score)


def comparison(xy, truth, labelled, skeleton, box=(0.0, 0.0, 40.0, 100.0)):
    xy, truth = np.asarray(xy, float), np.asarray(truth, float)
    boxes = np.tile(box, (len(xy), 1))
    errors = np.linalg.norm(xy - truth, axis=-1)
    return Comparison(xy, truth, np.asarray(labelled, bool), boxes, np.ones(len(xy)), skeleton, errors)


def test_a_table_by_hand_in_even_bins():
    score = np.array([0.1, 0.2, 0.25, 0.6, 0.7, 1.0])
    right = np.array([0, 1, 0, 1, 1, 1], bool)
    table = reliability(score, right, bins=4, by="width")
    np.testing.assert_allclose(table.edges, [0, 0.25, 0.5, 0.75, 1])
    # A bin holds its lower edge: 0.25 lies in the second, 1 in the last.
    assert table.count.tolist() == [2, 1, 2, 1]
    np.testing.assert_allclose(table.score, [0.15, 0.25, 0.65, 1.0])
    np.testing.assert_allclose(table.share, [0.5, 0, 1, 1])
    # (2 * 0.35 + 1 * 0.25 + 2 * 0.35 + 0) / 6
    assert table.expected_error == pytest.approx(1.65 / 6)
    assert table.largest_error == pytest.approx(0.35)


def test_a_table_by_hand_in_bins_of_equal_count():
    score = np.array([[0.9, 0.1, 0.3], [0.8, 0.2, 0.4]])
    right = np.array([[1, 0, 1], [1, 0, 0]], bool)
    table = reliability(score, right, bins=3)
    assert table.count.tolist() == [2, 2, 2]
    np.testing.assert_allclose(table.edges, [0.1, 0.3, 0.8, 0.9])
    np.testing.assert_allclose(table.score, [0.15, 0.35, 0.85])
    np.testing.assert_allclose(table.share, [0, 0.5, 1])
    np.testing.assert_allclose(table.gaps, [0.15, 0.15, 0.15])


def test_an_empty_bin_says_so_and_counts_for_nothing():
    table = reliability(np.array([0.1, 0.9]), np.array([False, True]), bins=3, by="width")
    assert table.count.tolist() == [1, 0, 1]
    assert np.isnan(table.score[1]) and np.isnan(table.share[1])
    assert table.expected_error == pytest.approx(0.1)
    assert table.largest_error == pytest.approx(0.1)


def test_equal_scores_stay_together():
    two = reliability(np.repeat([0.0, 1.0], [4, 6]), np.arange(10) < 5, bins=10)
    assert two.count.tolist() == [4, 6]
    np.testing.assert_allclose(two.share, [1, 1 / 6])
    one = reliability(np.ones(7), np.arange(7) < 3)
    assert (one.count.tolist(), one.edges.tolist()) == ([7], [1.0, 1.0])
    assert one.expected_error == pytest.approx(4 / 7)


@given(SCORES, st.integers(1, 12), st.sampled_from(["count", "width"]), st.integers(0, 2**32 - 1))
def test_every_point_is_in_one_bin_between_its_edges(scores, bins, by, seed):
    scores = np.array(scores)
    right = np.random.default_rng(seed).random(len(scores)) < 0.5
    table = reliability(scores, right, bins, by)
    assert table.count.sum() == len(scores)
    assert len(table.count) == len(table.edges) - 1 <= max(bins, 1)
    some = table.count > 0
    np.testing.assert_allclose((table.share[some] * table.count[some]).sum(), right.sum(), atol=1e-9)
    assert (table.score[some] >= table.edges[:-1][some] - 1e-12).all()
    assert (table.score[some] <= table.edges[1:][some] + 1e-12).all()
    assert 0 <= table.expected_error <= table.largest_error + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize("by", ["count", "width"])
def test_scores_that_are_the_probability_have_no_error(by):
    # Of the points with score s exactly the part s is right.
    score = np.repeat(np.arange(1, 10) / 10, 10)
    right = np.concatenate([np.arange(10) < n for n in range(1, 10)])
    table = reliability(score, right, bins=9, by=by)
    assert table.expected_error == pytest.approx(0, abs=1e-12)
    # Ninety points move a fit a little away from the identity, as the priors do.
    assert abs(fit(score, right).temperature - 1) < 0.05


@pytest.mark.parametrize(
    ("score", "right", "message"),
    [
        ([], [], "at least one"),
        ([0.5, 0.5], [True], r"as many labels as scores, at least one; got \(2,\) and \(1,\)"),
        ([0.5, 1.5], [True, True], r"in \[0, 1\]; got 0\.5 to 1\.5"),
        ([0.5, np.nan], [True, True], r"in \[0, 1\]; got nan"),
    ],
)
def test_what_is_no_score_is_refused(score, right, message):
    for ask in (reliability, fit):
        with pytest.raises(ValueError, match=message):
            ask(np.array(score), np.array(right, bool))


def test_bins_that_are_none_are_refused():
    for bins, by in ((0, "count"), (5, "height")):
        with pytest.raises(ValueError, match="at least one bin, by 'count' or 'width'"):
            reliability(np.array([0.5]), np.array([True]), bins, by)


def test_a_calibration_by_hand():
    # logit(0.8) = log 4; halved and moved by log 3 it is log 6.
    assert Calibration(2.0, np.log(3)).apply(np.array(0.8)) == pytest.approx(6 / 7)
    edges = Calibration().apply(np.array([0.0, 0.25, 1.0]))
    np.testing.assert_allclose(edges, [EDGE, 0.25, 1 - EDGE], rtol=1e-9)
    assert Calibration().apply(np.zeros((2, 3), np.float32)).dtype == np.float32


@given(SCORES, st.floats(1e-2, HIGHEST), st.floats(-30, 30))
def test_no_two_scores_change_places_and_all_stay_in_bounds(scores, temperature, shift):
    before = np.sort(np.array(scores))
    for kind in (np.float64, np.float32):
        after = Calibration(temperature, shift).apply(before.astype(kind))
        assert ((after >= 0) & (after <= 1)).all()
        assert (np.diff(after) >= -1e-15).all()


@pytest.mark.parametrize(
    "values", [{"temperature": 0}, {"temperature": -1.0}, {"temperature": float("inf")}, {"shift": float("nan")}]
)
def test_bad_values_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        Calibration(**values)


@pytest.mark.parametrize(("temperature", "shift"), [(1.0, 0.0), (2.5, -0.7), (0.4, 1.2)])
def test_a_known_curve_is_found_again(temperature, shift):
    score, right = drawn(Calibration(temperature, shift))
    made = fit(score, right, meaning="near")
    assert made.temperature == pytest.approx(temperature, rel=0.04)
    assert made.shift == pytest.approx(shift, abs=0.05)
    assert made.meaning == "near"
    other, truth = drawn(Calibration(temperature, shift), seed=1)
    assert reliability(made.apply(other), truth).expected_error < 0.01
    assert fit(score, right, meaning="near") == made


def test_the_fit_is_the_least_loss():
    score, right = drawn(Calibration(1.7, 0.4), count=3000)

    def loss(calibration):
        p = calibration.apply(score)
        return -np.where(right, np.log(p), np.log1p(-p)).mean()

    made = fit(score, right)
    for dt, ds in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        assert loss(made) < loss(Calibration(made.temperature + dt, made.shift + ds))
    assert abs(made.apply(score).mean() - right.mean()) < 1e-3


@pytest.mark.parametrize("value", [1.0, 0.6, 0.0])
def test_equal_scores_get_the_share_that_is_right(value):
    made = fit(np.full(1000, value), np.arange(1000) < 800)
    # Half a point each way: 800.5 of 1001.
    assert made.apply(np.array(value)) == pytest.approx(800.5 / 1001, abs=1e-6)
    assert made.temperature == pytest.approx(1, abs=1e-3)


def test_data_that_leave_the_curve_open_still_get_one():
    score = np.linspace(0.01, 0.99, 200)
    apart = fit(score, score > 0.5)
    assert 0 < apart.temperature < 0.5
    assert apart.apply(np.array(0.9)) > 0.99 > 0.01 > apart.apply(np.array(0.1))
    for all_of_them in (True, False):
        sure = fit(score, np.full(200, all_of_them)).apply(score)
        assert np.abs(sure - all_of_them).max() < 0.02
    assert np.isfinite(fit(score[:1], np.array([True])).shift)


def test_scores_that_rank_the_wrong_way_round_are_drawn_together():
    score = np.linspace(0.01, 0.99, 200)
    made = fit(score, score < 0.3)
    assert made.temperature == pytest.approx(HIGHEST)
    np.testing.assert_allclose(made.apply(score), 0.3, atol=0.03)


def test_a_point_is_right_below_a_tenth_of_the_box():
    skeleton = Skeleton(name="three", points=("a", "b", "c"))
    truth = np.zeros((2, 3, 2))
    xy = np.array([[[9.9, 0], [10.1, 0], [0, 0]], [[np.inf, 0], [0, -9], [50, 0]]])
    near, counted = found(comparison(xy, truth, [[1, 1, 0], [1, 1, 1]], skeleton), UNITS["box"])
    assert near.tolist() == [[True, False, True], [False, True, False]]
    assert counted.tolist() == [[True, True, False], [True, True, True]]
    closer, _ = found(comparison(xy, truth, [[1, 1, 0], [1, 1, 1]], skeleton), UNITS["box"], 0.02)
    assert closer.tolist() == [[False, False, True], [False, False, False]]


def test_an_instance_without_the_unit_is_left_out():
    face = SKELETONS["face5"]
    truth = np.tile([[10.0, 10], [30, 10], [20, 20], [12, 30], [28, 30]], (2, 1, 1))
    labelled = np.ones((2, 5), bool)
    labelled[1, 0] = False
    # The eyes are 20 pixels apart: below 2 is right.
    near, counted = found(comparison(truth + np.array([1.9, 0]), truth, labelled, face), unit_of("nme_interocular"))
    assert near[0].all() and not near[1].any()
    assert counted.tolist() == [[True] * 5, [False] * 5]


def test_every_protocol_has_a_unit_that_its_skeletons_have():
    assert {unit_of(name) for name in fitting(SKELETONS["coco17"])} == {UNITS["box"], UNITS["torso"]}
    assert {unit_of(name) for name in fitting(SKELETONS["face68"])} == {UNITS["box"], UNITS["eyes"]}


@pytest.mark.parametrize("threshold", [0.0, -0.1, float("nan"), float("inf")])
def test_a_threshold_that_is_none_is_refused(threshold):
    skeleton = Skeleton(name="one", points=("a",))
    with pytest.raises(ValueError, match="fraction of the box's longer side above 0; got"):
        found(comparison(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), np.ones((2, 1)), skeleton), UNITS["box"], threshold)
