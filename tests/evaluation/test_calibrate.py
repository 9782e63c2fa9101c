"""A calibration is fitted on one half of the images and measured on the other."""

from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR

from posekit.data.synthetic import Synthetic
from posekit.evaluation.calibrate import calibrate, first_half
from posekit.evaluation.measure import compared


@pytest.fixture(scope="module")
def many():
    return Synthetic(FOUR, count=120, size=(64, 64), seed=5).dataset()


def numbered(dataset, ids):
    return replace(dataset, images=tuple(replace(r, id=i) for r, i in zip(dataset.images, ids, strict=True)))


def guessed(recipe, dataset, power=2.0):
    """Predictions of which a point with score s is right as often as s ** power says."""
    rng = np.random.default_rng(0)
    truth = dataset.xy[dataset.rows]
    score = rng.uniform(0.1, 0.9, truth.shape[:2])
    wrong = rng.random(score.shape) > score**power
    return compared(truth + np.where(wrong, 40.0, 0.0)[..., None], score, dataset, spec=recipe.spec())


def test_the_half_it_was_not_fitted_on_agrees_better(small, many):
    measured = guessed(small(), many)
    made = calibrate(measured, many)
    labelled = int(measured.labelled.sum())
    assert made.fitted + made.before.count.sum() == labelled
    assert made.before.count.sum() == made.after.count.sum()
    assert made.after.expected_error < made.before.expected_error / 2
    assert made.calibration.meaning == "error below 0.1 of the box's longer side"
    assert calibrate(measured, many).calibration == made.calibration


def test_the_threshold_says_what_is_right(small, many):
    measured = guessed(small(), many)
    everything = calibrate(measured, many, threshold=1000.0)
    assert everything.calibration.meaning == "error below 1000 of the box's longer side"
    np.testing.assert_allclose(everything.after.share, 1)
    with pytest.raises(ValueError, match="fraction of the box's longer side above 0; got 0"):
        calibrate(measured, many, threshold=0)


def test_unlabelled_points_count_for_nothing(small, many):
    visibility = many.visibility.copy()
    visibility[:, 1] = 0
    part = replace(many, visibility=visibility)
    measured = guessed(small(), part)
    made = calibrate(measured, part)
    changed = measured.score.copy()
    changed[:, 1] = 0.99
    assert calibrate(replace(measured, score=changed), part).calibration == made.calibration
    assert made.fitted + made.before.count.sum() == int((visibility[part.rows] > 0).sum())


def test_halves_go_by_the_parity_of_the_images_numbers(many):
    few = many.subset(np.arange(4))
    assert first_half(numbered(few, [8, 3, 5, 12])).tolist() == [True, False, False, True]
    # All even: every other image in the order of the numbers.
    assert first_half(numbered(few, [8, 2, 6, 4])).tolist() == [False, True, True, False]
    assert first_half(numbered(few, [7, 1, 5, 3])).tolist() == [False, True, True, False]


def test_one_image_is_not_enough(small, many):
    one = many.subset([0])
    with pytest.raises(ValueError, match=r"they have 4 and 0 labelled points .* give more images"):
        calibrate(compared(one.xy[one.rows], np.full((1, 4), 0.5), one), one)
