"""Pose NMS: relative to the size of the pose, and at a fixed distance."""

import math

import numpy as np
import pytest

from posekit.geometry.keypoints import Poses
from posekit.postprocess.pose_nms import fixed_pose_nms, pose_nms
from posekit.postprocess.suppress import NMS

K = 17
FIGURE = np.random.default_rng(0).uniform(0, 1, (K, 2))
FIGURE[:2] = (0, 0), (1, 1)
"""A pose in a box of 1 by 1, whose diagonal is sqrt(2)."""


def poses(xy, score=None):
    xy = np.stack(xy)
    score = np.linspace(0.9, 0.5, len(xy)) if score is None else np.asarray(score)
    return Poses(xy=xy, score=np.tile(score[:, None], xy.shape[1]), instance_score=score)


def kept(result, given):
    """Which of the given stay, by their locations."""
    return [int(np.flatnonzero((given.xy == one).all((1, 2)))[0]) for one in result.xy]


def by_hand(given, reach, least, clear):
    """The published algorithm as plain loops over poses and points."""
    n, ignored, keep = len(given), set(), []
    for i in range(n):
        if i in ignored:
            continue
        cluster = []
        for j in range(n):
            near = sum(math.dist(a, b) < reach[i] for a, b in zip(given.xy[i], given.xy[j], strict=True))
            if near > least:
                cluster.append(j)
        best = max(cluster, key=lambda j: clear[j])
        if best not in ignored:
            keep.append(best)
        ignored |= set(cluster)
    return keep


def test_points_at_just_the_distance_are_not_near():
    given = poses([100 * FIGURE.round(1), 100 * FIGURE.round(1) + (10, 0)])
    assert len(fixed_pose_nms(given, pixels=10.0)) == 2
    assert len(fixed_pose_nms(given, pixels=10.0 + 1e-6)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_who_stays_is_who_stays_by_hand(seed):
    rng = np.random.default_rng(seed)
    size = rng.uniform(40, 200, (12, 1, 1))
    xy = (FIGURE + rng.normal(0, 0.03, (12, K, 2))) * size + rng.choice([0, 15.0], (12, 1, 2))
    clear = rng.uniform(0.2, 0.9, 12)
    given = poses(list(xy), clear)
    sides = xy.max(1) - xy.min(1)
    expected = by_hand(given, 0.05 * np.sqrt((sides**2).sum(-1)), 8, clear)
    assert kept(pose_nms(given), given) == expected
    fixed = by_hand(given, np.full(12, 10.0), 10, -np.arange(12))
    assert kept(fixed_pose_nms(given), given) == fixed
    assert 1 < len(expected) < 12 or 1 < len(fixed) < 12


def ring(radius, points=K):
    """Points on a circle about (100, 100)."""
    angle = np.arange(points) * 2 * np.pi / points
    return 100 + radius * np.stack((np.cos(angle), np.sin(angle)), -1)


LARGE, SMALL = ring(35.0), ring(30.4)
"""4.6 pixels apart; the box of the larger has a diagonal of about 98 and reaches 4.9, the smaller reaches 4.2."""


@pytest.mark.parametrize(
    ("first", "second", "clear", "expected"),
    [
        (LARGE, SMALL, (0.9, 0.5), [0]),
        (LARGE, SMALL, (0.5, 0.9), [1]),
        (SMALL, LARGE, (0.9, 0.5), [0]),
        # The smaller takes in nobody and stays; the larger takes in both and is the clearest of them.
        (SMALL, LARGE, (0.5, 0.9), [0, 1]),
    ],
)
def test_two_sizes_of_one_pose_by_their_order(first, second, clear, expected):
    given = poses([first, second])
    assert kept(pose_nms(given, clear=clear), given) == expected


def test_a_fixed_distance_knows_no_size():
    for given in (poses([LARGE, SMALL]), poses([SMALL, LARGE])):
        assert kept(fixed_pose_nms(given), given) == [0]
        assert kept(fixed_pose_nms(given, pixels=4.5), given) == [0, 1]
        assert kept(fixed_pose_nms(given, clear=(0.1, 0.2)), given) == [1]


@pytest.mark.parametrize(("points", "most_near"), [(17, 8), (14, 7), (5, 2), (68, 32)])
def test_how_many_points_make_two_poses_one(points, most_near):
    """Eight of COCO's 17 and seven of CrowdPose's 14 do not suffice; one more does."""
    one = np.random.default_rng(1).uniform(0, 300, (points, 2))
    for near, expected in ((most_near, [0, 1]), (most_near + 1, [0])):
        other = np.where(np.arange(points)[:, None] < near, one, one + 1000)
        given = poses([one, other])
        assert kept(pose_nms(given), given) == expected
        assert kept(pose_nms(given, near_points=near), given) == [0, 1]


def test_the_clearest_are_left_where_there_are_too_many():
    given = poses([FIGURE * 100 + 500 * step for step in range(5)], [0.3, 0.9, 0.1, 0.5, 0.7])
    assert kept(pose_nms(given, max_instances=3), given) == [1, 4, 3]
    assert kept(pose_nms(given, max_instances=None), given) == [0, 1, 2, 3, 4]
    assert kept(fixed_pose_nms(given, max_instances=2), given) == [0, 1]


def test_a_pose_in_one_place_is_near_itself():
    given = poses([np.zeros((K, 2)), np.ones((K, 2)) * 50])
    assert kept(pose_nms(given), given) == [0, 1]


def test_it_can_be_chosen_whatever_the_order():
    for given in (
        poses([SMALL, LARGE, SMALL + 300], [0.5, 0.9, 0.7]),
        poses([SMALL + 300, LARGE, SMALL], [0.7, 0.9, 0.5]),
    ):
        chosen = NMS(method="pose_distance")(given, np.full(K, 0.05))
        np.testing.assert_array_equal(chosen.xy, [LARGE, SMALL + 300])
        np.testing.assert_array_equal(chosen.instance_score, [0.9, 0.7])


def test_nobody_there():
    empty = Poses(xy=np.zeros((0, K, 2)), score=np.zeros((0, K)), instance_score=np.zeros(0))
    assert len(pose_nms(empty)) == len(fixed_pose_nms(empty)) == 0


def test_what_does_not_fit_is_refused():
    given = poses([LARGE, SMALL])
    with pytest.raises(ValueError, match=r"2 poses need one number each in clear, \(2,\); got \(3,\)"):
        pose_nms(given, clear=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"image by image: .* got \(1, 2, 17, 2\) and \(1, 2, 17\)"):
        fixed_pose_nms(given.each(lambda array: array[None]))
