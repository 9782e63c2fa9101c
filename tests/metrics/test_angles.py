"""Angles and lengths: worked values, what turns and mirrors with the points, missing points, spread by Monte Carlo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.geometry.skeleton import Skeleton
from posekit.metrics.angles import angle_spread, angles, length_spread, lengths, located, unwrapped
from posekit.metrics.named_angles import default_angles, named_angles, named_lengths
from posekit.skeletons import SKELETONS

TRIPLES, PAIRS = [[0, 1, 2], [2, 3, 4]], [[0, 1], [1, 2], [3, 4]]
T, N, K = 4, 3, 5


def points(seed=0, shape=(T, N, K)):
    return np.random.default_rng(seed).uniform(0, 100, (*shape, 2))


@pytest.mark.parametrize(
    ("c", "plain", "signed"),
    [
        ((0, 2), 90, 90),  # y points down: clockwise on the screen
        ((0, -2), 90, -90),
        ((-3, 0), 180, 180),
        ((-3, -0.0), 180, 180),
        ((5, 0), 0, 0),
        ((1, 1), 45, 45),
        ((-1, -np.sqrt(3)), 120, -120),
    ],
)
def test_worked_angles(c, plain, signed):
    xy = np.array([(1.0, 0.0), (0.0, 0.0), c])
    np.testing.assert_allclose(angles(xy, [[0, 1, 2]]), [plain], atol=1e-12)
    np.testing.assert_allclose(angles(xy, [[0, 1, 2]], signed=True), [signed], atol=1e-12)


@given(turn=st.floats(-3, 3), scale=st.floats(0.01, 100), dx=st.floats(-500, 500))
@settings(deadline=None, max_examples=50)
def test_angles_neither_move_turn_nor_grow_with_the_points(turn, scale, dx):
    xy = points()
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = xy @ rotation.T * scale + dx
    np.testing.assert_allclose(angles(moved, TRIPLES), angles(xy, TRIPLES), atol=1e-5)
    np.testing.assert_allclose(lengths(moved, PAIRS), lengths(xy, PAIRS) * scale, rtol=1e-6)
    spread = np.ones_like(xy)
    np.testing.assert_allclose(
        angle_spread(moved, spread * scale, TRIPLES), angle_spread(xy, spread, TRIPLES), rtol=1e-5
    )


def test_a_mirror_turns_the_sign():
    xy = points()
    np.testing.assert_allclose(angles(xy * [-1, 1], TRIPLES, signed=True), -angles(xy, TRIPLES, signed=True))
    np.testing.assert_allclose(angles(xy, [[2, 1, 0]], signed=True), -angles(xy, [[0, 1, 2]], signed=True))


def test_shapes_and_worked_lengths():
    assert angles(points(), TRIPLES).shape == (T, N, 2) and lengths(points(), PAIRS).shape == (T, N, 3)
    assert angles(points(), []).shape == (T, N, 0)
    np.testing.assert_allclose(lengths(np.array([[0.0, 0], [3, 4]]), [[0, 1]]), [5])
    # Only the spread along the bone changes its length: 0.6 x 2 and 0.8 x 1 for both ends.
    spread = np.array([[2.0, 1.0], [0, 0]])
    np.testing.assert_allclose(
        length_spread(np.array([[0.0, 0], [3, 4]]), spread, [[0, 1]]), [np.hypot(0.6 * 2, 0.8 * 1)]
    )


def test_missing_points_give_nan_and_nothing_else_does():
    xy = points()
    score = np.ones((T, N, K))
    score[1, 2, 0] = 0
    xy[0, 0, 4] = np.nan
    found = located(xy, score)
    lost = np.isnan(angles(found, TRIPLES))
    assert np.argwhere(lost).tolist() == [[0, 0, 1], [1, 2, 0]]
    spread = np.ones_like(xy)
    np.testing.assert_array_equal(np.isnan(angle_spread(found, spread, TRIPLES)), lost)
    assert np.argwhere(np.isnan(lengths(found, PAIRS))).tolist() == [[0, 0, 2], [1, 2, 0]]
    assert np.isnan(located(xy, score, threshold=1.0)).all()
    np.testing.assert_array_equal(located(points()), points())


def test_coinciding_points_have_no_angle():
    xy = np.array([[1.0, 1], [1, 1], [2, 2]])
    assert np.isnan(angles(xy, [[0, 1, 2]])).all() and np.isnan(angles(xy, [[2, 1, 0]])).all()
    assert np.isnan(angle_spread(xy, np.ones_like(xy), [[0, 1, 2]])).all()
    assert lengths(xy, [[0, 1]])[0] == 0 and np.isnan(length_spread(xy, np.ones_like(xy), [[0, 1]])).all()


@pytest.mark.parametrize("seed", range(5))
def test_spread_is_that_of_many_draws(seed):
    rng = np.random.default_rng(seed)
    xy = np.array([[0.0, 0], [60, 10], [20, 70], [90, 80], [40, 30]]) + rng.uniform(-5, 5, (5, 2))
    spread = rng.uniform(0.1, 1.0, (5, 2))
    draws = xy + rng.standard_normal((200_000, 5, 2)) * spread
    np.testing.assert_allclose(angle_spread(xy, spread, TRIPLES), angles(draws, TRIPLES).std(0), rtol=0.01)
    np.testing.assert_allclose(length_spread(xy, spread, PAIRS), lengths(draws, PAIRS).std(0), rtol=0.01)


def test_unwrapped_without_a_frame():
    assert unwrapped(np.zeros((0, 3))).shape == (0, 3)


def test_unwrapped_over_gaps_and_several_series():
    turning = np.arange(0, 1000, 50.0)
    folded = (turning + 180) % 360 - 180
    gone = folded.copy()
    gone[[0, 5, 6]] = np.nan
    found = unwrapped(np.stack([folded, gone, np.full_like(folded, np.nan)], 1))
    np.testing.assert_allclose(found[:, 0], turning)
    np.testing.assert_array_equal(np.isnan(found[:, 1]), np.isnan(gone))
    np.testing.assert_allclose(np.delete(found[:, 1], [0, 5, 6]), np.delete(turning, [0, 5, 6]))
    assert np.isnan(found[:, 2]).all()
    assert unwrapped(np.full(3, np.nan)).shape == (3,)


@pytest.mark.parametrize(
    ("xy", "indices", "match"),
    [
        (np.zeros((3, 3)), [[0, 1, 2]], r"expected points \(..., K, 2\); got \(3, 3\)"),
        (np.zeros((3, 2)), [[0, 1, 3]], r"expected indices \(A, 3\) of 3 points; got \[\[0, 1, 3\]\]"),
        (np.zeros((3, 2)), [[0, 1]], r"expected indices \(A, 3\)"),
    ],
)
def test_what_does_not_fit(xy, indices, match):
    with pytest.raises(ValueError, match=match):
        angles(xy, indices)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(("coco17", 8), ("crowdpose14", 8), ("mpii16", 8), ("lsp14", 8)),
        *(("openpose18", 8), ("body25", 10), ("mediapipe33", 10), ("hand21", 0)),
    ],
)
def test_default_angles_of_bodies(name, count):
    skeleton = SKELETONS[name]
    found = default_angles(skeleton)
    assert len(found) == count
    assert all(set(three) <= set(skeleton.points) for three in found.values())
    if count:
        assert named_angles(["all"], skeleton)["right_knee"] == skeleton.index(
            ["right_hip", "right_knee", "right_ankle"]
        )
        assert list(named_lengths(["all"], skeleton).values()) == list(skeleton.edges)


def test_angles_and_lengths_by_name():
    coco = SKELETONS["coco17"]
    assert named_angles(["left_elbow", " mine = nose, left_hip ,left_knee"], coco) == {
        "left_elbow": (5, 7, 9),
        "mine": (0, 11, 13),
    }
    assert named_lengths(["left_hip-right_hip", "arm=left_shoulder,left_wrist"], coco) == {
        "left_hip-right_hip": (11, 12),
        "arm": (5, 9),
    }


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["left_kne"], r"no angle 'left_kne'; did you mean 'left_knee'\?; or write NAME=A,B,C for the angle at B"),
        (["a=left_hip,left_knee"], "angle 'a=left_hip,left_knee': expected NAME=A,B,C for the angle at B, 3 points"),
        (["=a,b,c"], "expected NAME=A,B,C"),
        (["a=left_hip,left_knee,left_ankel"], "angle 'a': no point 'left_ankel'; did you mean 'left_ankle'"),
        (["a=left_hip,left_knee,left_hip"], "angle 'a': a point stands twice in left_hip, left_knee, left_hip"),
    ],
)
def test_what_is_wrong_with_names(words, match):
    with pytest.raises(ValueError, match=match):
        named_angles(words, SKELETONS["coco17"])


def test_a_skeleton_without_known_angles():
    with pytest.raises(ValueError, match=r"the points a, b of 'x' have no known angles: write NAME=A,B,C"):
        named_angles(["all"], Skeleton(name="x", points=("a", "b")))
    with pytest.raises(ValueError, match="have no known lengths"):
        named_lengths(["all"], Skeleton(name="x", points=("a", "b")))
