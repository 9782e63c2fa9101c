"""Boxes of faces and hands from the points of a body: sizes by hand, missing points, moved and turned bodies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posekit.geometry.keypoints import Poses
from posekit.geometry.parts import (
    CLEAR,
    FACE_DOWN,
    FACE_SIDE,
    HAND_BEYOND,
    HAND_SIDE,
    HEAD,
    face_boxes,
    hand_boxes,
    part_boxes,
)
from posekit.skeletons import SKELETONS

BODY = SKELETONS["coco17"]
FRONT = {
    "nose": (15.0, 16.0),
    "left_eye": (20.0, 10.0),
    "right_eye": (10.0, 10.0),
    "left_ear": (25.0, 11.0),
    "right_ear": (5.0, 11.0),
    "left_elbow": (40.0, 50.0),
    "left_wrist": (40.0, 70.0),
    "right_elbow": (0.0, 50.0),
    "right_wrist": (-30.0, 50.0),
}


def bodies(*named, score=0.9):
    """Poses of people by the points that were found; the score of others is 0."""
    xy, scores = np.full((len(named), 17, 2), 7.0, np.float32), np.zeros((len(named), 17), np.float32)
    for number, points in enumerate(named):
        for name, place in points.items():
            xy[number, BODY.points.index(name)] = place
            scores[number, BODY.points.index(name)] = score
    return Poses(xy=xy, score=scores, instance_score=np.ones(len(named), np.float32))


def without(*names):
    return {name: place for name, place in FRONT.items() if name not in names}


def middle_and_side(boxes):
    """Centres (N, 2) and sides (N,) of squares."""
    size = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(size[:, 0], size[:, 1], rtol=1e-6, atol=1e-9)
    return (boxes[:, 2:] + boxes[:, :2]) / 2, size[:, 0]


def test_a_face_from_the_front():
    # Eyes 10 pixels apart; ears 20, times 0.45: 9. From the eyes to the nose is straight down.
    side = 10 * FACE_SIDE
    centre = (15, 13 + 10 * FACE_DOWN)
    wanted = [centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2]
    np.testing.assert_allclose(face_boxes(bodies(FRONT), BODY), [wanted], rtol=1e-6)


def test_a_profile_is_as_long_as_from_the_eye_to_the_ear():
    for eye, ear in (("left_eye", "left_ear"), ("right_eye", "right_ear")):
        profile = {"nose": (23.0, 14.0), eye: (20.0, 10.0), ear: (10.0, 10.0)}
        centre, side = middle_and_side(face_boxes(bodies(profile), BODY))
        np.testing.assert_allclose(side, [8 * FACE_SIDE])
        np.testing.assert_allclose(centre, [np.array([21.5, 12]) + 8 * FACE_DOWN * np.array([0.6, 0.8])], rtol=1e-6)


def test_ears_give_the_length_where_eyes_are_close():
    turned = FRONT | {"left_eye": (15.5, 10.0), "right_eye": (14.5, 10.0)}
    _, side = middle_and_side(face_boxes(bodies(turned), BODY))
    np.testing.assert_allclose(side, [20 * 0.45 * FACE_SIDE], rtol=1e-6)


@pytest.mark.parametrize(
    "missing",
    [
        ("nose",),
        ("left_eye", "right_eye"),
        ("right_eye", "left_ear", "right_ear"),
        ("left_eye", "left_ear", "right_ear"),
        HEAD,
    ],
)
def test_without_nose_eyes_or_a_length_there_is_no_face(missing):
    assert (face_boxes(bodies(without(*missing)), BODY) == 0).all()


def test_all_points_in_one_location_are_no_face():
    assert (face_boxes(bodies(dict.fromkeys(HEAD, (4.0, 4.0))), BODY) == 0).all()
    # Nose and eye in one location: the face is put below them.
    boxes = face_boxes(bodies({"nose": (4.0, 4.0), "left_eye": (4.0, 4.0), "left_ear": (14.0, 4.0)}), BODY)
    centre, side = middle_and_side(boxes)
    np.testing.assert_allclose(centre, [[4, 4 + 8 * FACE_DOWN]])
    np.testing.assert_allclose(side, [8 * FACE_SIDE])


def test_hands_lie_beyond_the_wrists():
    boxes = hand_boxes(bodies(FRONT, without("right_wrist")), BODY)
    assert boxes.shape == (4, 4)
    centre, side = middle_and_side(boxes)
    left, right = (40, 70 + 20 * HAND_BEYOND), (-30 - 30 * HAND_BEYOND, 50)
    np.testing.assert_allclose(centre, [left, right, left, (0, 0)], rtol=1e-6)
    np.testing.assert_allclose(side, [20 * HAND_SIDE, 30 * HAND_SIDE, 20 * HAND_SIDE, 0])


def test_no_arm_no_hand():
    assert (hand_boxes(bodies(without("left_elbow", "right_wrist")), BODY) == 0).all()
    still = FRONT | {"left_wrist": FRONT["left_elbow"], "right_wrist": FRONT["right_elbow"]}
    assert (hand_boxes(bodies(still), BODY) == 0).all()


@pytest.mark.parametrize("rule", [face_boxes, hand_boxes])
def test_points_below_the_least_score_or_not_finite_are_missing(rule):
    assert (rule(bodies(FRONT, score=0.99 * CLEAR), BODY) == 0).all()
    assert (rule(bodies(FRONT, score=CLEAR + 1e-6), BODY) != 0).any()
    broken = bodies(FRONT)
    broken.xy[:] = np.nan
    assert (rule(broken, BODY) == 0).all()


@pytest.mark.parametrize(("rule", "parts"), [(face_boxes, 1), (hand_boxes, 2)])
def test_shapes(rule, parts):
    for count in (0, 1, 3):
        boxes = rule(bodies(*[FRONT] * count), BODY)
        assert boxes.shape == (parts * count, 4) and boxes.dtype == np.float64


@pytest.mark.parametrize("rule", [face_boxes, hand_boxes])
@given(
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.1, 20),
    move=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    missing=st.sampled_from([(), ("left_ear",), ("right_eye", "right_ear"), ("left_wrist",)]),
)
def test_squares_move_and_grow_with_the_body_and_stay_upright(rule, angle, scale, move, missing):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plain = without(*missing)
    other = {name: turn @ place + move for name, place in plain.items()}
    poses, turned = bodies(plain), bodies(other)
    centre, side = middle_and_side(rule(poses, BODY))
    found, length = middle_and_side(rule(turned, BODY))
    there = side > 0
    np.testing.assert_array_equal(length > 0, there)
    np.testing.assert_allclose(length, scale * side, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[there], centre[there] @ turn.T + move, rtol=1e-3, atol=2e-3)


def test_the_rule_follows_from_both_skeletons():
    face, hand = SKELETONS["face68"], SKELETONS["hand21"]
    assert part_boxes(BODY, face) is face_boxes
    assert part_boxes(BODY, hand) is hand_boxes
    assert part_boxes(SKELETONS["mpii16"], hand) is hand_boxes
    assert part_boxes(SKELETONS["mpii16"], face) is None, "it has no eyes"
    assert part_boxes(face, face) is None
    assert part_boxes(BODY, BODY) is None
    assert part_boxes(BODY, SKELETONS["ap10k17"]) is None
