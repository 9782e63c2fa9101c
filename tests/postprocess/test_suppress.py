"""Non-maximum suppression of the poses of an image."""

import numpy as np
import pytest

from posekit.geometry.keypoints import Poses
from posekit.postprocess.suppress import NMS, across_views

SIGMAS = (0.05,) * 4
SQUARE = np.array([(0, 0), (60, 0), (60, 60), (0, 60)], np.float32)


def poses(shifts, scores):
    """Squares moved to the right."""
    xy = np.stack([SQUARE + np.array((shift, 0)) for shift in shifts]).astype(np.float32)
    score = np.asarray(scores, np.float32)
    boxes = np.concatenate([xy.min(1), xy.max(1)], -1)
    return Poses(xy, np.repeat(score[:, None], 4, 1), score, boxes=boxes)


def test_the_best_come_first_and_the_weak_go():
    kept = NMS(score_threshold=0.2, max_instances=2)(poses((0, 10, 20, 30), (0.3, 0.9, 0.1, 0.5)), SIGMAS)
    np.testing.assert_allclose(kept.instance_score, (0.9, 0.5))
    np.testing.assert_allclose(kept.boxes[:, 0], (10, 30))


def test_a_score_of_just_the_threshold_stays():
    kept = NMS(score_threshold=0.25)(poses((0, 10, 20), (0.25, 0.5, 0.125)), SIGMAS)
    np.testing.assert_array_equal(kept.instance_score, (0.5, 0.25))


@pytest.mark.parametrize("by", ["box", "oks"])
def test_of_two_alike_the_better_stays(by):
    kept = NMS(method=by, threshold=0.5)(poses((0, 1, 200), (0.6, 0.8, 0.4)), SIGMAS)
    np.testing.assert_allclose(kept.instance_score, (0.8, 0.4))


def test_none_keeps_both():
    assert len(NMS()(poses((0, 1), (0.6, 0.8)), SIGMAS)) == 2
    assert across_views(NMS()).method == "oks"
    assert across_views(NMS(method="box")).method == "box"


def test_soft_lowers_the_score_of_the_lesser():
    kept = NMS(method="soft_oks", threshold=0.9)(poses((0, 1, 200), (0.6, 0.8, 0.4)), SIGMAS)
    np.testing.assert_allclose(kept.instance_score[:2], (0.8, 0.4), atol=1e-6)
    assert 0.01 < kept.instance_score[2] < 0.3


def test_nobody_stays_nobody():
    none = poses((0,), (0.5,)).each(lambda array: array[:0])
    for by in ("none", "box", "oks", "soft_oks"):
        kept = NMS(method=by)(none, SIGMAS)
        assert kept.xy.shape == (0, 4, 2)
        assert kept.boxes.shape == (0, 4)
