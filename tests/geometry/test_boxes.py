"""Boxes: corners and sides, areas, overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K, N

from posekit.geometry import boxes

rng = np.random.default_rng(0)


def random_boxes(n, seed=0):
    corner, side = np.random.default_rng(seed).uniform(0, 50, (2, n, 2))
    return np.concatenate([corner, corner + side], 1)


def test_sides_and_corners_are_inverse():
    corners = rng.uniform(0, 9, (B, N, 4))
    sides = boxes.to_xywh(corners)
    np.testing.assert_allclose(boxes.from_xywh(sides), corners)
    np.testing.assert_allclose(boxes.to_xywh(np.array([2.0, 3, 7, 11])), [2, 3, 5, 8])


def test_extent_and_area_are_never_negative():
    given = np.array([[2.0, 3, 7, 11], [7, 3, 2, 11]])
    np.testing.assert_allclose(boxes.extent(given), [[5, 8], [0, 8]])
    np.testing.assert_allclose(boxes.area(given), [40, 0])


def test_overlap_by_hand():
    a = np.array([[0.0, 0, 10, 10], [20, 20, 30, 40]])
    b = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]])
    # Half of a box shifted by half its width: 50 of 150.
    np.testing.assert_allclose(boxes.iou(a, b), [[1, 1 / 3, 0], [0, 0, 0]])


def test_boxes_without_area_overlap_nothing():
    point = np.array([[5.0, 5, 5, 5]])
    assert boxes.iou(point, point) == 0
    assert boxes.iou(np.zeros((0, 4)), point).shape == (0, 1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.floats(0.1, 10), st.floats(-50, 50))
def test_overlap_is_symmetric_and_minds_neither_scale_nor_place(seed, scale, shift):
    a, b = random_boxes(N, seed), random_boxes(K, seed + 1)
    overlap = boxes.iou(a, b)
    assert overlap.shape == (N, K)
    assert (overlap >= 0).all()
    assert (overlap <= 1).all()
    np.testing.assert_allclose(overlap, boxes.iou(b, a).T)
    np.testing.assert_allclose(overlap, boxes.iou(a * scale + shift, b * scale + shift), atol=1e-9)


def test_around_holds_the_labelled_points_and_no_others():
    xy = rng.uniform(0, 50, (B, N, K, 2))
    labelled = np.ones((B, N, K), bool)
    labelled[0, 0, :2] = False
    xy[0, 0, :2] = 1000
    box = boxes.around(xy, labelled)
    np.testing.assert_allclose(box[..., :2], np.where(labelled[..., None], xy, np.inf).min(2))
    np.testing.assert_allclose(box[..., 2:], np.where(labelled[..., None], xy, -np.inf).max(2))


def test_around_grows_by_the_margin():
    xy = np.array([[10.0, 20], [30, 60], [15, 30]])
    box = boxes.around(xy, np.array([True, True, True]), margin=0.1)
    np.testing.assert_allclose(box, [8, 16, 32, 64])


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_around_nothing_is_zeros(margin):
    np.testing.assert_array_equal(
        boxes.around(np.full((N, K, 2), 7.0), np.zeros((N, K), bool), margin), np.zeros((N, 4))
    )


def test_boxes_without_extent_are_put_around_the_points():
    given = np.array([[1.0, 2, 3, 4], [5, 5, 5, 9], [0, 0, 0, 0], [7, 7, 7, 7]])
    xy = np.array([[[10.0, 20], [30, 60]]] * 4)
    labelled = np.array([[True, True], [True, True], [True, False], [False, False]])
    # A tenth on each side; half a pixel around a single point; where no point is labelled the box stays.
    wanted = [[1, 2, 3, 4], [8, 16, 32, 64], [9.5, 19.5, 10.5, 20.5], [7, 7, 7, 7]]
    np.testing.assert_allclose(boxes.or_around_points(given, xy, labelled), wanted)
