"""NMS drops duplicates of better instances and keeps distinct ones, in any order."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import K, N

from posekit.geometry.boxes import area, to_xywh
from posekit.geometry.keypoints import Poses
from posekit.metrics.similarity import oks_between
from posekit.postprocess import nms as module
from posekit.postprocess.nms import box_nms, oks_nms, soft_box_nms, soft_oks_nms
from posekit.skeletons import SKELETONS

SIGMAS = SKELETONS["coco17"].oks_sigmas
BODY = np.random.default_rng(3).uniform(0, 100, (17, 2))
seeds = st.integers(0, 9999)


def shifted(*steps, size=1e4, **fields):
    """The same body, moved right by each of ``steps``, the first the best."""
    xy = BODY + np.array([[[step, 0.0]] for step in steps])
    side = size**0.5
    boxes = np.array([[step, 0.0, step + side, side] for step in steps])
    score = np.linspace(0.9, 0.8, len(steps))
    return Poses(xy=xy, score=np.ones(xy.shape[:2]), instance_score=score, boxes=boxes, **fields)


def random_people(seed, count=12):
    """Poses of K points, some of which repeat each other, with unequal scores."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 60, (4, K, 2))[rng.integers(0, 4, count)] + rng.normal(size=(count, K, 2)) * 2
    score = rng.permutation(count) / count + 0.01
    return Poses(xy=xy, score=rng.uniform(size=(count, K)), instance_score=score, ids=np.arange(count))


def heap(seed, count=30):
    """Boxes that overlap, with unequal scores."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 40, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 30, (count, 2))], axis=1), rng.permutation(count) / count + 0.01


@pytest.mark.parametrize(
    ("step", "size", "expected"), [(1, 1e4, 0.993990), (3, 1e4, 0.948713), (20, 1e4, 0.331114), (3, 2500, 0.826072)]
)
def test_a_shifted_body_goes_above_its_oks_and_stays_below(step, size, expected):
    poses = shifted(0, step, size=size)
    assert len(oks_nms(poses, SIGMAS, threshold=expected - 1e-6)) == 1
    assert len(oks_nms(poses, SIGMAS, threshold=expected + 1e-6)) == 2
    assert len(oks_nms(poses, SIGMAS)) == (1 if expected > 0.9 else 2)


def test_an_oks_of_just_the_threshold_stays():
    poses = shifted(0, 3)
    exact = float(oks_between(poses.xy[:1], poses.xy[1:], *(np.array([1e4]),) * 2, SIGMAS)[0, 0])
    assert len(oks_nms(poses, SIGMAS, threshold=exact)) == 2


def test_an_overlap_of_just_the_threshold_stays():
    # 2 of 4 square pixels of the union, 2 of 3 of the smaller.
    boxes, score = np.array([[0.0, 0, 3, 1], [1, 0, 4, 1]]), np.array([0.9, 0.8])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.5), [0, 1])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.5 - 1e-9), [0])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=2 / 3, over="smaller"), [0, 1])


def test_soft_by_hand():
    lowered = soft_oks_nms(shifted(0, 3), SIGMAS)
    np.testing.assert_allclose(lowered.instance_score, [0.9, 0.294285], atol=1e-6)
    assert len(soft_oks_nms(shifted(0, 3), SIGMAS, score_threshold=0.3)) == 1


def test_areas_are_those_given_then_the_boxes_then_around_the_points():
    poses = shifted(0, 3)
    assert len(oks_nms(poses, SIGMAS)) == 1
    assert len(oks_nms(poses, SIGMAS, area=np.array([2500.0, 2500.0]))) == 2
    assert len(oks_nms(replace(poses, boxes=poses.boxes / 2), SIGMAS)) == 2
    # The points span somewhat less than 100 x 100 pixels: OKS of 3 px at that area is below 0.9487.
    around = area(np.concatenate([BODY.min(0), BODY.max(0)]))
    a = np.array([around])
    limit = float(oks_between(poses.xy[:1], poses.xy[1:], a, a, SIGMAS)[0, 0])
    bare = replace(poses, boxes=None)
    assert [len(oks_nms(bare, SIGMAS, threshold=limit + by)) for by in (-1e-6, 1e-6)] == [1, 2]


def test_two_sizes_are_compared_at_their_mean():
    poses = shifted(0, 3)
    sizes = np.array([1e4, 2500.0])
    limit = float(oks_between(poses.xy[:1], poses.xy[1:], sizes[:1], sizes[1:], SIGMAS)[0, 0])
    assert [len(oks_nms(poses, SIGMAS, area=sizes, threshold=limit + by)) for by in (-1e-6, 1e-6)] == [1, 2]


def test_a_pose_of_one_point_has_no_area_and_is_still_compared():
    poses = Poses(
        xy=np.array([[[5.0, 5.0]], [[5.0, 5.0]], [[50.0, 5.0]]]), score=np.ones((3, 1)), instance_score=np.ones(3)
    )
    np.testing.assert_array_equal(oks_nms(poses, [0.05]).xy[:, 0, 0], [5, 50])


def test_an_area_below_a_pixel_counts_as_one():
    # exp(-0.1^2 / (2 * 0.1^2)) = 0.607.
    poses = Poses(xy=np.array([[[5.0, 5.0]], [[5.1, 5.0]]]), score=np.ones((2, 1)), instance_score=np.array([0.9, 0.8]))
    for square_pixels in (None, np.full(2, 0.25)):
        assert [len(oks_nms(poses, [0.05], threshold=t, area=square_pixels)) for t in (0.60, 0.61)] == [1, 2]


def test_a_point_counts_where_both_have_it():
    poses = shifted(0, 0)
    xy, score = poses.xy.copy(), poses.score.copy()
    xy[0, 0], score[0, 0] = 900.0, 0.0
    xy[1, 1], score[1, 1] = -900.0, 0.0
    poses = replace(poses, xy=xy, score=score)
    assert len(oks_nms(poses, SIGMAS)) == 2, "15 of 17 points agree"
    # A point that only one of the two has would bring the OKS down to 15 / 16.
    assert len(oks_nms(poses, SIGMAS, point_threshold=0.1, threshold=0.99)) == 1
    backwards = poses.each(lambda array: array[::-1])
    assert len(oks_nms(backwards, SIGMAS, point_threshold=0.1, threshold=0.99)) == 1, "whichever comes first"
    assert len(oks_nms(poses, SIGMAS, point_threshold=1.0)) == 2, "nothing is left to compare"


def test_a_point_that_is_no_number_is_not_compared():
    poses = shifted(0, 0)
    for hole in (np.nan, np.inf):
        xy = poses.xy.copy()
        xy[0, 4], xy[1, 4], xy[1, 9] = hole, hole, hole
        assert len(oks_nms(replace(poses, xy=xy), SIGMAS)) == 1


def test_categories_are_told_apart_or_not():
    poses = shifted(0, 0, 0, category=np.array([1, 2, 1]), ids=np.array([7, 8, 9]))
    np.testing.assert_array_equal(oks_nms(poses, SIGMAS).ids, [7, 8])
    np.testing.assert_array_equal(oks_nms(poses, SIGMAS, per_category=False).ids, [7])
    lowered = soft_oks_nms(poses, SIGMAS)
    np.testing.assert_array_equal(lowered.ids, [7, 8, 9])
    np.testing.assert_allclose(lowered.instance_score, [0.9, 0.85, 0.8 * np.exp(-1 / 0.9)])
    boxes, score = poses.boxes, poses.instance_score
    np.testing.assert_array_equal(box_nms(boxes, score, category=poses.category), [0, 1])
    np.testing.assert_array_equal(soft_box_nms(boxes, score, category=poses.category)[0], [0, 1, 2])


def test_equal_scores_keep_the_first_given():
    poses = replace(shifted(0, 0, 500, 500), instance_score=np.full(4, 0.5), ids=np.arange(4))
    np.testing.assert_array_equal(oks_nms(poses, SIGMAS).ids, [0, 2])
    np.testing.assert_array_equal(soft_oks_nms(poses, SIGMAS).ids, [0, 2, 1, 3])
    np.testing.assert_array_equal(box_nms(poses.boxes, poses.instance_score), [0, 2])
    np.testing.assert_array_equal(soft_box_nms(poses.boxes, poses.instance_score)[0], [0, 2, 1, 3])


def test_many_equal_scores_stay_in_the_order_given():
    boxes = np.arange(200)[:, None] * 20.0 + [0, 0, 10, 10]
    score = np.where(np.arange(200) % 3 == 1, 0.9, 0.5)
    wanted = sorted(range(200), key=lambda i: -score[i])
    np.testing.assert_array_equal(box_nms(boxes, score), wanted)
    np.testing.assert_array_equal(soft_box_nms(boxes, score)[0], wanted)


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_what_is_left_is_unlike_and_what_went_is_like_a_better_one(seed):
    poses = random_people(seed)
    left = oks_nms(poses, [0.05] * K, threshold=0.5, area=np.full(12, 900.0))
    a = np.full(12, 900.0)
    among = oks_between(poses.xy, poses.xy, a, a, [0.05] * K)
    kept = left.ids
    gone = np.setdiff1d(poses.ids, kept)
    assert (np.diff(left.instance_score) < 0).all()
    assert (among[np.ix_(kept, kept)] - np.eye(len(kept)) <= 0.5).all()
    better = poses.instance_score[kept][None] > poses.instance_score[gone][:, None]
    assert ((among[np.ix_(gone, kept)] > 0.5) & better).any(1).all()


@settings(deadline=None, max_examples=25)
@given(seeds, seeds)
def test_again_changes_nothing_and_order_does_not_matter(seed, order):
    poses, sigmas = random_people(seed), [0.05] * K
    mixed = poses.each(lambda array: array[np.random.default_rng(order).permutation(12)])
    once = oks_nms(poses, sigmas, threshold=0.5)
    np.testing.assert_array_equal(oks_nms(once, sigmas, threshold=0.5).ids, once.ids)
    np.testing.assert_array_equal(oks_nms(mixed, sigmas, threshold=0.5).ids, once.ids)
    soft, again = soft_oks_nms(poses, sigmas), soft_oks_nms(mixed, sigmas)
    np.testing.assert_array_equal(soft.ids, again.ids)
    np.testing.assert_allclose(soft.instance_score, again.instance_score)

    boxes, score = heap(seed)
    shuffle = np.random.default_rng(order).permutation(30)
    keep = box_nms(boxes, score)
    np.testing.assert_array_equal(keep[box_nms(boxes[keep], score[keep])], keep)
    np.testing.assert_array_equal(shuffle[box_nms(boxes[shuffle], score[shuffle])], keep)
    np.testing.assert_array_equal(
        shuffle[soft_box_nms(boxes[shuffle], score[shuffle])[0]], soft_box_nms(boxes, score)[0]
    )


def test_a_threshold_of_one_keeps_all():
    poses = shifted(0, 0, 0, 1)
    assert len(oks_nms(poses, SIGMAS, threshold=1.0)) == 4
    boxes, score = heap(0)
    twice, scores = np.concatenate([boxes, boxes]), np.concatenate([score, score])
    for over in ("union", "smaller"):
        assert len(box_nms(twice, scores, threshold=1.0, over=over)) == 60


def test_what_is_far_apart_stays_as_it_is():
    poses = shifted(0, 500, 1000, 1500)
    np.testing.assert_array_equal(oks_nms(poses, SIGMAS, threshold=1e-6).xy, poses.xy)
    np.testing.assert_allclose(soft_oks_nms(poses, SIGMAS).instance_score, poses.instance_score)
    np.testing.assert_array_equal(box_nms(poses.boxes, poses.instance_score, threshold=0.0), np.arange(4))
    index, score = soft_box_nms(poses.boxes, poses.instance_score)
    np.testing.assert_array_equal(index, np.arange(4))
    np.testing.assert_array_equal(score, poses.instance_score)


def test_a_small_box_in_a_large_one_goes_by_the_smaller_only():
    boxes, score = np.array([[0, 0, 100, 100], [10, 10, 30, 30]]), np.array([0.9, 0.8])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.7), [0, 1])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.7, over="smaller"), [0])
    np.testing.assert_array_equal(box_nms(boxes, score[::-1], threshold=0.7, over="smaller"), [1])


def test_boxes_by_hand():
    # 10 x 10 boxes shifted by 2 and by 5: overlaps 80 / 120 and 50 / 150 of the union, 0.8 and 0.5 of the smaller;
    # the second and third share 70.
    boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [5, 0, 15, 10]])
    score = np.array([0.9, 0.8, 0.7])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.66), [0, 2])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.67), [0, 1, 2])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.5, over="smaller"), [0, 2])
    np.testing.assert_array_equal(box_nms(boxes, score, threshold=0.49, over="smaller"), [0])
    third = 0.7 * np.exp(-((50 / 150) ** 2) / 0.5)
    second = 0.8 * np.exp(-((80 / 120) ** 2) / 0.5) * np.exp(-((70 / 130) ** 2) / 0.5)
    index, lowered = soft_box_nms(boxes, score)
    np.testing.assert_array_equal(index, [0, 2, 1])
    np.testing.assert_allclose(lowered, [0.9, third, second])
    index, lowered = soft_box_nms(boxes, score, max_instances=2)
    np.testing.assert_array_equal(index, [0, 2])
    np.testing.assert_array_equal(soft_box_nms(boxes, score, score_threshold=0.5)[0], [0, 2])


def test_a_box_without_area_overlaps_nothing():
    boxes = np.array([[5.0, 5, 5, 5], [5, 5, 5, 5], [9, 9, 1, 1], [0, 0, 10, 10]])
    for over in ("union", "smaller"):
        np.testing.assert_array_equal(box_nms(boxes, np.ones(4), threshold=0.0, over=over), np.arange(4))


def test_soft_keeps_so_many_and_lowers_none_below_the_hard_ones():
    poses = random_people(1, count=12)
    hard = oks_nms(poses, [0.05] * K, threshold=0.0)
    soft = soft_oks_nms(poses, [0.05] * K, max_instances=N)
    assert len(soft) == N
    assert (np.diff(soft.instance_score) <= 0).all()
    before = poses.instance_score[soft_oks_nms(poses, [0.05] * K, max_instances=None).ids]
    assert (soft_oks_nms(poses, [0.05] * K, max_instances=None).instance_score <= before).all()
    assert hard.ids[0] == soft.ids[0] == poses.instance_score.argmax()
    assert len(soft_oks_nms(poses, [0.05] * K, max_instances=None)) == 12


def test_nobody_is_nobody():
    nobody = Poses(xy=np.zeros((0, K, 2)), score=np.zeros((0, K)), instance_score=np.zeros(0))
    assert len(oks_nms(nobody, [0.05] * K)) == len(soft_oks_nms(nobody, [0.05] * K)) == 0
    index = box_nms(np.zeros((0, 4)), np.zeros(0))
    assert index.shape == (0,)
    assert index.dtype == np.intp
    assert [array.shape for array in soft_box_nms(np.zeros((0, 4)), np.zeros(0))] == [(0,), (0,)]


def test_nothing_given_is_written_to_and_types_stay():
    poses = shifted(0, 0, 3)
    poses = poses.each(lambda array: array.astype(np.float32))
    before = poses.each(np.copy)
    left, lowered = oks_nms(poses, SIGMAS), soft_oks_nms(poses, SIGMAS)
    soft_box_nms(poses.boxes, poses.instance_score)
    for name in ("xy", "score", "instance_score", "boxes"):
        np.testing.assert_array_equal(getattr(poses, name), getattr(before, name))
        assert getattr(left, name).dtype == getattr(lowered, name).dtype == np.float32


@pytest.mark.parametrize("suppress", [oks_nms, soft_oks_nms])
def test_poses_of_other_shapes_are_refused(suppress):
    poses = shifted(0, 3)
    with pytest.raises(ValueError, match="take one image of the batch"):
        suppress(poses.each(lambda array: array[None]), SIGMAS)
    with pytest.raises(ValueError, match="image by image"):
        suppress(replace(poses, score=poses.score[:, :3]), SIGMAS)
    with pytest.raises(ValueError, match=r"one area each, \(2,\); got \(3,\)"):
        suppress(poses, SIGMAS, area=np.ones(3))
    with pytest.raises(ValueError, match="one sigma a point"):
        suppress(poses, SIGMAS[:3])


@pytest.mark.parametrize("suppress", [box_nms, soft_box_nms])
def test_boxes_of_other_shapes_are_refused(suppress):
    boxes, score = heap(0)
    for wrong in ((boxes[None], score), (boxes[:, :3], score), (boxes, score[:3]), (boxes, score[:, None])):
        with pytest.raises(ValueError, match=r"boxes \(N, 4\)"):
            suppress(*wrong)
    with pytest.raises(ValueError, match="'category': \\(3,\\)"):
        suppress(boxes, score, category=np.ones(3))
    with pytest.raises(ValueError, match="over union or smaller, got 'min'"):
        suppress(boxes, score, over="min")


def test_scores_that_cannot_be_ranked_or_lowered_are_refused():
    boxes, score = heap(0)
    for suppress in (box_nms, soft_box_nms):
        with pytest.raises(ValueError, match=r"NaN at \[2\]"):
            suppress(boxes, np.where(np.arange(30) == 2, np.nan, score))
    with pytest.raises(ValueError, match="give scores in \\[0, 1\\]"):
        soft_box_nms(boxes, score - 0.5)
    with pytest.raises(ValueError, match="spread should be positive, got 0"):
        soft_oks_nms(shifted(0, 3), SIGMAS, spread=0)


@pytest.mark.parametrize("block", [1, 7, 64, 1024])
@pytest.mark.parametrize("over", ["union", "smaller"])
def test_blocks_and_rounds_give_what_going_one_by_one_gives(block, over, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    rng = np.random.default_rng(3)
    boxes, score = heap(3, count=150)
    category = rng.integers(0, 3, 150)
    # Some scores are equal, so that the order given matters.
    score = score.round(1)

    def shared(a, b):
        wide, high = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        one, other = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
        inner = max(wide, 0) * max(high, 0)
        return inner / (one + other - inner if over == "union" else min(one, other))

    stay = []
    for i in np.argsort(-score, kind="stable").tolist():
        if not any(category[i] == category[j] and shared(boxes[i], boxes[j]) > 0.3 for j in stay):
            stay.append(i)
    assert 10 < len(stay) < 140
    assert box_nms(boxes, score, threshold=0.3, over=over, category=category).tolist() == stay


def test_categories_may_be_words():
    boxes, score = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10]]), np.array([0.5, 0.9, 0.7])
    np.testing.assert_array_equal(box_nms(boxes, score, category=np.array(["cat", "dog", "cat"])), [1, 2])


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.9])
def test_the_same_boxes_as_opencv(threshold):
    for seed in range(20):
        boxes, score = heap(seed, count=100)
        theirs = cv2.dnn.NMSBoxes(to_xywh(boxes), score, 0.0, threshold)
        np.testing.assert_array_equal(box_nms(boxes, score, threshold=threshold), theirs)
        boxes = boxes.round().astype(int)
        lowered, theirs = cv2.dnn.softNMSBoxes(to_xywh(boxes), score, 0.05, 0.0, sigma=threshold)
        index, mine = soft_box_nms(boxes, score, spread=threshold, score_threshold=0.05)
        np.testing.assert_array_equal(index, np.ravel(theirs))
        np.testing.assert_allclose(mine, np.ravel(lowered), rtol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_the_same_boxes_as_torchvision(threshold):
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    for seed in range(20):
        boxes, score = heap(seed, count=200)
        theirs = ops.nms(torch.from_numpy(boxes), torch.from_numpy(score), threshold).numpy()
        np.testing.assert_array_equal(box_nms(boxes, score, threshold=threshold), theirs)
        category = np.random.default_rng(seed).integers(0, 3, 200)
        batched = ops.batched_nms(*(torch.from_numpy(a) for a in (boxes, score, category)), threshold).numpy()
        np.testing.assert_array_equal(box_nms(boxes, score, threshold=threshold, category=category), batched)
