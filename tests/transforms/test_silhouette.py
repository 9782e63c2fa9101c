"""Outlines from points."""

from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, PIXELS
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.data.synthetic import Synthetic
from posekit.skeletons.body import COCO17, LSP14
from posekit.transforms.silhouette import find_head, silhouette, torso_points

SIZE = (90, 110)
ALL = np.ones(5, bool)
XY = PIXELS[0] + 0.5
FACE = COCO17.index(["nose", "left_eye", "right_eye", "left_ear", "right_ear"])


def figures(skeleton, count=12):
    dataset = Synthetic(skeleton, count, (96, 80), seed=3, outside=0).dataset()
    return [dataset.scene(i) for i in range(count)]


@pytest.mark.parametrize("skeleton", [COCO17, LSP14, BODY], ids=lambda s: s.name)
def test_every_labelled_point_is_covered_and_far_away_is_not(skeleton):
    for sample in figures(skeleton):
        points = sample.instances.keypoints
        labelled = points.labelled[0]
        cover = silhouette(points.xy[0], labelled, skeleton, (96, 80))
        assert cover.shape == (96, 80) and cover.dtype == np.float32
        assert cover.min() >= 0 and cover.max() <= 1
        x, y = np.floor(points.xy[0][labelled]).astype(int).T
        assert (cover[y, x] > 0.5).all()
        box = sample.instances.boxes[0]
        spare = 0.25 * (box[2:] - box[:2]).max()
        outside = np.ones((96, 80), bool)
        low, high = np.maximum(box[:2] - spare, 0).astype(int), (box[2:] + spare).astype(int)
        outside[low[1] : high[1] + 1, low[0] : high[0] + 1] = False
        assert (cover[outside] == 0).all()


def test_the_middle_of_a_torso_is_covered():
    torso = list(COCO17.index(["left_shoulder", "right_shoulder", "left_hip", "right_hip"]))
    for sample in figures(COCO17):
        points = sample.instances.keypoints
        x, y = np.floor(points.xy[0][torso].mean(0)).astype(int)
        assert silhouette(points.xy[0], points.labelled[0], COCO17, (96, 80))[y, x] == 1


@given(dx=st.integers(-20, 20), dy=st.integers(-15, 15))
@settings(deadline=None, max_examples=20)
def test_an_outline_moves_with_its_points(dx, dy):
    here, there = (silhouette(xy, ALL, BODY, SIZE) for xy in (XY, XY + np.array((dx, dy))))
    rows, columns = slice(20, 70), slice(25, 85)
    moved = there[20 + dy : 70 + dy, 25 + dx : 85 + dx]
    np.testing.assert_array_equal(moved, here[rows, columns])


def test_points_without_a_label_count_for_nothing():
    labelled = np.array([True, True, False, True, True])
    wild = XY.copy()
    wild[2] = (1e9, -50)
    np.testing.assert_array_equal(silhouette(XY, labelled, BODY, SIZE), silhouette(wild, labelled, BODY, SIZE))


def test_hands_go_on_beyond_the_last_point():
    # The knees end the bones of the body here: a third of the last bone further on is covered, its double is not.
    cover = silhouette(XY, ALL, BODY, (130, 110))
    for end, before in ((3, 1), (4, 2)):
        step = XY[end] - XY[before]
        for far, covered in ((0.35, True), (0.75, False)):
            x, y = np.floor(XY[end] + far * step).astype(int)
            assert (cover[y, x] > 0.5) == covered


def test_too_little_to_tell():
    assert silhouette(XY, np.array([True, True, False, False, False]), BODY, SIZE) is None
    assert silhouette(np.full((5, 2), 7.0), ALL, BODY, SIZE) is None
    far = XY.copy()
    far[0] = (1e6, 3)
    assert silhouette(far, ALL, BODY, SIZE) is None
    labelled = np.ones(17, bool)
    labelled[list(COCO17.index(["left_shoulder", "left_hip"]))] = False
    assert silhouette(np.random.default_rng(0).random((17, 2)) * 50, labelled, COCO17, SIZE) is None


def test_the_torso_is_found_by_name_or_is_everything():
    assert [COCO17.points[i] for i in np.flatnonzero(torso_points(COCO17))] == [
        "left_shoulder",
        "right_shoulder",
        "left_hip",
        "right_hip",
    ]
    assert torso_points(BODY).all()


def test_a_head_without_labels_by_hand():
    # Shoulders at y = 40, hips at y = 70: 0.42 of 30 px further up, 1.1 x 0.27 of it in radius.
    xy = np.zeros((17, 2))
    labelled = np.zeros(17, bool)
    four = list(COCO17.index(["left_shoulder", "right_shoulder", "left_hip", "right_hip"]))
    xy[four], labelled[four] = [(60, 40), (50, 40), (60, 70), (50, 70)], True
    head = find_head(xy, labelled, COCO17)
    np.testing.assert_allclose(head.centre, (55, 40 - 12.6))
    assert head.radius == pytest.approx(30 * 0.297) and not head.labelled
    # Shoulders 40 px apart tell a torso of 48 px, whatever the perspective leaves of it.
    xy[four[:2]] = [(75, 40), (35, 40)]
    assert find_head(xy, labelled, COCO17).radius == pytest.approx(48 * 0.297)


def test_heads_hold_their_faces_and_are_where_they_would_be_guessed():
    for sample in figures(COCO17):
        xy, labelled = sample.instances.keypoints.xy[0], sample.instances.keypoints.labelled[0]
        head = find_head(xy, labelled, COCO17)
        assert head.labelled
        assert np.hypot(*(xy[list(FACE)] - head.centre).T).max() <= head.radius
        faceless = labelled.copy()
        faceless[list(FACE)] = False
        guess = find_head(xy, faceless, COCO17)
        assert not guess.labelled
        assert np.hypot(*np.subtract(guess.centre, head.centre)) < head.radius + guess.radius


def test_a_labelled_top_tells_the_head():
    sample = figures(LSP14)[0]
    xy = sample.instances.keypoints.xy[0]
    head = find_head(xy, np.ones(14, bool), LSP14)
    top = xy[LSP14.points.index("head_top")]
    assert head.labelled and np.hypot(*(top - head.centre)) <= head.radius * 1.35


def test_no_head_without_shoulders_or_hips():
    assert find_head(XY, ALL, BODY) is None
    assert find_head(np.zeros((17, 2)), np.zeros(17, bool), COCO17) is None


def test_skeletons_without_bones_have_a_hull():
    boneless = replace(BODY, bones=())
    cover = silhouette(XY, ALL, boneless, SIZE)
    x, y = np.floor(XY.mean(0)).astype(int)
    assert cover[y, x] == 1
