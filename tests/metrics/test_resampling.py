"""Intervals: what they cover, that differences are paired, and where there is none."""

import numpy as np
import pytest
from scipy import stats

from posekit.metrics.resampling import (
    clustered_rate,
    difference,
    estimate,
    percentiles,
    resamples,
    student,
    wilson,
)
from posekit.metrics.weighted import Mean

IMAGES, DRAWS = 40, 500


def drawn(seed):
    """Errors of 1 to 3 instances an image of two points, alike within an image; their mean is 1."""
    random = np.random.default_rng(seed)
    image = np.repeat(np.arange(IMAGES), random.integers(1, 4, IMAGES))
    own = random.gamma(8, 1 / 8, IMAGES)[image]
    return image, own[:, None] * random.gamma(6, 1 / 6, (len(image), 2)), random


def mean_of(values, image):
    return Mean.of(values, np.ones(values.shape, bool), image, IMAGES, "pooled")


def test_intervals_cover_what_they_say():
    covered = np.zeros(3)
    for seed in range(DRAWS):
        image, values, random = drawn(seed)
        weights = resamples(IMAGES, 400, seed)
        one = estimate(mean_of(values, image), weights)
        # A second method with the same hard images and a mean that is 0.2 higher.
        other = estimate(mean_of(values * random.gamma(20, 1 / 20, values.shape) + 0.2, image), weights)
        apart = difference(other, one, IMAGES)
        likely = np.clip(0.7 + 0.2 * random.standard_normal(IMAGES), 0, 1)
        right = (random.random(len(image)) < likely[image]).astype(float)
        low, high = clustered_rate(np.bincount(image, right), np.bincount(image).astype(float))
        covered += [
            one.low[0] <= 1 <= one.high[0],
            apart.low[0] <= 0.2 <= apart.high[0],
            low <= EXPECTED <= high,
        ]
    assert (covered / DRAWS >= 0.92).all() and (covered / DRAWS <= 0.98).all(), covered / DRAWS


EXPECTED = float(np.clip(0.7 + 0.2 * np.random.default_rng(0).standard_normal(1_000_000), 0, 1).mean())
"""The mean of the probabilities above."""


def test_paired_differences_are_narrower_than_two_intervals():
    image, values, _ = drawn(1)
    weights = resamples(IMAGES, 500)
    one, other = (estimate(mean_of(values + shift, image), weights) for shift in (0.0, 0.1))
    apart = difference(other, one, IMAGES)
    assert apart.low[0] == pytest.approx(0.1) == apart.high[0]
    assert one.high[0] - one.low[0] > 0.05


def test_instances_of_an_image_do_not_count_as_independent():
    image = np.repeat(np.arange(IMAGES), 10)
    own = np.random.default_rng(2).normal(size=IMAGES)
    weights = resamples(IMAGES, 500)
    alone = estimate(mean_of(own[:, None], np.arange(IMAGES)), weights)
    copied = estimate(mean_of(own[image][:, None], image), weights)
    assert copied.low == pytest.approx(alone.low) and copied.high == pytest.approx(alone.high)


def test_no_interval_where_it_is_undefined_too_often():
    values = np.tile([[0.1, 0.5]], (20, 1))
    counted = np.zeros((20, 2), bool)
    counted[:, 0] = True
    counted[3, 1] = True  # one labelled point: 36 % of the resamples do not have it
    found = estimate(Mean.of(values, counted, np.arange(20), 20, "points"), resamples(20))
    assert found.value.tolist() == pytest.approx([0.3, 0.1, 0.5])
    assert np.isfinite(found.low[:2]).all() and np.isnan(found.low[2]) and np.isnan(found.high[2])
    few = estimate(Mean.of(values[:4], counted[:4], np.arange(4), 4, "points"), resamples(4))
    assert np.isnan(few.low).all() and np.isfinite(few.value).all()
    nothing = estimate(Mean.of(values, np.zeros((20, 2), bool), np.arange(20), 20, "points"), resamples(20))
    assert np.isnan(nothing.value).all() and np.isnan(nothing.low).all()


def test_a_rate_of_one_is_not_certain():
    ones, counted = np.ones((20, 2)), np.ones((20, 2), bool)
    counted[5:, 1] = False
    statistic = Mean.of(ones, counted, np.repeat(np.arange(10), 2), 10, "points", rate=True)
    found = estimate(statistic, resamples(10))
    assert found.value.tolist() == [1, 1, 1]
    assert [found.low[0], found.high[0]] == pytest.approx(wilson(10, 10))
    assert [found.low[1], found.high[1]] == pytest.approx(wilson(10, 10))
    assert np.isnan(found.low[2]) or found.low[2] == pytest.approx(wilson(3, 3)[0])
    plain = estimate(Mean.of(ones, counted, np.repeat(np.arange(10), 2), 10, "points"), resamples(10))
    assert plain.low[0] == plain.high[0] == 1


def test_the_same_seed_draws_the_same():
    assert np.array_equal(resamples(7, 5, 3), resamples(7, 5, 3))
    assert not np.array_equal(resamples(7, 5, 3), resamples(7, 5, 4))
    assert (resamples(7, 50).sum(1) == 7).all()


@pytest.mark.parametrize("freedom", [4, 7, 30, 400])
@pytest.mark.parametrize("share", [0.005, 0.025, 0.5, 0.9])
def test_students_quantiles(freedom, share):
    assert student(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=5e-3, abs=1e-12)


@pytest.mark.parametrize(("right", "total"), [(0, 10), (10, 10), (8, 10), (130, 400)])
def test_wilson_is_that_of_scipy(right, total):
    wanted = stats.binomtest(right, total).proportion_ci(method="wilson")
    assert wilson(right, total) == pytest.approx((wanted.low, wanted.high))


def test_rates_of_images_count_images():
    total = np.full(30, 4.0)
    together = clustered_rate(np.where(np.arange(30) < 20, 4.0, 0.0), total)  # all four of an image alike
    alone = wilson(20, 30)
    assert together[0] == pytest.approx(alone[0], abs=0.01) and together[1] == pytest.approx(alone[1], abs=0.01)
    assert clustered_rate(total, total) == pytest.approx(wilson(30, 30))
    assert np.isnan(clustered_rate(np.zeros(3), np.zeros(3))).all()
    assert np.isnan(wilson(0, 0)).all()


def test_errors_are_told():
    with pytest.raises(ValueError, match="at least one image and one resample; got 0 and 5"):
        resamples(0, 5)
    with pytest.raises(ValueError, match="level of an interval lies between 0 and 1; got 95"):
        percentiles(np.zeros((10, 1)), 10, 95)
    with pytest.raises(ValueError, match="a rate needs 0 to 3 successes; got 4"):
        wilson(4, 3)
    one = estimate(mean_of(np.ones((IMAGES, 1)), np.arange(IMAGES)), resamples(IMAGES, 5))
    other = estimate(mean_of(np.ones((IMAGES, 1)), np.arange(IMAGES)), resamples(IMAGES, 6))
    with pytest.raises(ValueError, match="the same resamples and columns"):
        difference(one, other, IMAGES)
