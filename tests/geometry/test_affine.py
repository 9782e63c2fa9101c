"""The crop matrix: corners, order of the steps, the inverse, and a white pixel that stays at its point."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.geometry.affine import crop_matrix, index_matrix, invert, transform

BOX = np.array([10.0, 20.0, 40.0, 80.0])  # 30 x 60 around (25, 50)
SIZE = (64, 48)

boxes = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 300), st.floats(1, 300)).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)
random_crops = st.fixed_dictionaries(
    {
        "padding": st.floats(1, 2),
        "scale": st.floats(0.5, 2),
        "rotation": st.floats(-180, 180),
        "shift": st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
        "flip": st.booleans(),
    }
)


def apply(matrix, *xy):
    return transform(np.array(xy, dtype=float), matrix)


def test_a_box_of_the_crops_aspect_fills_the_crop():
    box = np.array([10.0, 20.0, 34.0, 52.0])  # 24 x 32, as 48 x 64 is
    matrix = crop_matrix(box, SIZE, padding=1)
    np.testing.assert_allclose(apply(matrix, (10, 20), (34, 20), (34, 52)), [(0, 0), (48, 0), (48, 64)], atol=1e-9)


def test_a_narrow_box_grows_to_the_sides_only():
    matrix = crop_matrix(BOX, SIZE, padding=1)
    # 60 pixels high become 64, so the width shown is 45 around 25.
    np.testing.assert_allclose(apply(matrix, (2.5, 20), (47.5, 80)), [(0, 0), (48, 64)], atol=1e-9)


def test_padding_and_scale():
    wide = crop_matrix(BOX, SIZE, padding=1.25)
    np.testing.assert_allclose(apply(wide, (25, 50 - 37.5), (25, 50 + 37.5)), [(24, 0), (24, 64)], atol=1e-9)
    near = crop_matrix(BOX, SIZE, padding=1.25, scale=2)
    np.testing.assert_allclose(apply(near, (25, 50 - 18.75)), [(24, 0)], atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(near) / np.linalg.det(wide), 4)


def test_rotation_turns_clockwise_on_the_screen():
    matrix = crop_matrix(BOX, SIZE, padding=1, rotation=90)
    centre, right, up = apply(matrix, (25, 50), (26, 50), (25, 49))
    step = 64 / 60
    np.testing.assert_allclose(centre, (24, 32), atol=1e-9)
    # What pointed to the right points down, what pointed up points to the right.
    np.testing.assert_allclose(right - centre, (0, step), atol=1e-9)
    np.testing.assert_allclose(up - centre, (step, 0), atol=1e-9)


def test_shift_moves_the_instance_in_parts_of_the_crop():
    matrix = crop_matrix(BOX, SIZE, shift=(0.25, -0.125), rotation=30)
    np.testing.assert_allclose(apply(matrix, (25, 50)), [(24 + 12, 32 - 8)], atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(boxes, random_crops)
def test_flip_comes_last(box, crop):
    points = np.random.default_rng(0).uniform(-50, 300, (K, 2))
    straight = transform(points, crop_matrix(box, SIZE, **{**crop, "flip": False}))
    mirrored = transform(points, crop_matrix(box, SIZE, **{**crop, "flip": True}))
    np.testing.assert_allclose(mirrored, straight * (-1, 1) + (48, 0), atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(boxes, random_crops)
def test_invert_leads_back(box, crop):
    matrix = crop_matrix(box, SIZE, **crop)
    points = np.random.default_rng(1).uniform(-50, 300, (K, 2))
    np.testing.assert_allclose(transform(transform(points, matrix), invert(matrix)), points, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(boxes, random_crops)
def test_crops_keep_shapes(box, crop):
    linear = crop_matrix(box, SIZE, **crop)[:2, :2]
    scale = abs(np.linalg.det(linear))
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * scale, atol=1e-9 * max(1, scale))


def test_transform_takes_one_matrix_or_one_for_each():
    rng = np.random.default_rng(2)
    matrices = np.stack([crop_matrix(BOX + 3 * i, SIZE, rotation=40 * i) for i in range(B)])
    points = rng.uniform(0, 90, (B, K, 2)).astype(np.float32)
    moved = transform(points, matrices)
    assert moved.dtype == np.float32
    for i in range(B):
        np.testing.assert_allclose(moved[i], transform(points[i], matrices[i]), atol=1e-4)
        homogeneous = np.concatenate([points[i], np.ones((K, 1))], 1) @ matrices[i].T
        np.testing.assert_allclose(moved[i], homogeneous[:, :2], atol=1e-4)
    assert transform(points, matrices[0]).shape == points.shape
    np.testing.assert_allclose(invert(matrices) @ matrices, np.broadcast_to(np.eye(3), (B, 3, 3)), atol=1e-9)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0.0, 25.0, -90.0])
def test_a_white_pixel_stays_under_its_point(rotation, flip):
    image = np.zeros((100, 90), np.float32)
    image[53, 22] = 1
    point = np.array([[22.5, 53.5]])
    matrix = crop_matrix(BOX, SIZE, padding=1, scale=4, rotation=rotation, flip=flip)
    crop = cv2.warpAffine(image, index_matrix(matrix)[:2], SIZE[::-1], flags=cv2.INTER_LINEAR)
    rows, columns = np.indices(crop.shape)
    seen = np.array([(crop * (columns + 0.5)).sum(), (crop * (rows + 0.5)).sum()]) / crop.sum()
    # OpenCV counts in 1/32 of a pixel when it interpolates, here of an image shown 4 times as large.
    np.testing.assert_allclose(seen, transform(point, matrix)[0], atol=4 / 32)


def test_index_matrix_of_a_pure_scale():
    # The corner stays, so the first pixel's centre 0.5 goes to 1: in indices 0 goes to 0.5.
    scale = np.diag([2.0, 2.0, 1.0])
    np.testing.assert_allclose(index_matrix(scale), [[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 8, 9), (8, 5, 5, 9), (0, 0, np.nan, 3), (0, 0, np.inf, 3)])
def test_boxes_without_extent_are_refused(box):
    with pytest.raises(ValueError, match="a crop needs a finite box"):
        crop_matrix(np.array(box, dtype=float), SIZE)


def test_a_squashing_matrix_has_no_inverse():
    with pytest.raises(ValueError, match="matrix has no inverse"):
        invert(np.diag([1.0, 0.0, 1.0]))
