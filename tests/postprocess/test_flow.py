"""Optical flow: how far a picture was moved, at any size, and nothing where nothing is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from posekit.postprocess.flow import Flow


def texture(height, width):
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), height / 60)


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_points_of_a_moved_picture(scale):
    image = texture(120 * scale, 160 * scale)
    matrix = np.array([[1.0, 0, 3 * scale], [0, 1, -2 * scale]])
    moved = cv2.warpAffine(image, matrix, (160 * scale, 120 * scale), borderMode=cv2.BORDER_REFLECT)
    flow = Flow()
    flow(image)
    flow(moved)
    xy = np.random.default_rng(1).uniform(30, 90, (3, 5, 2)) * scale
    steps, known = flow.steps(xy)
    assert known.all()
    np.testing.assert_allclose(steps / scale, np.broadcast_to([3.0, -2.0], steps.shape), atol=0.4)


def test_points_outside_and_images_without_a_predecessor():
    flow = Flow()
    xy = np.array([[-1.0, 5.0], [0.0, 0.0], [160.0, 120.0], [161.0, 5.0]])
    flow(texture(120, 160))
    steps, known = flow.steps(xy)
    assert not known.any() and not steps.any()
    flow(texture(120, 160))
    steps, known = flow.steps(xy)
    assert known.tolist() == [False, True, True, False] and not steps[[0, 3]].any()
    # Another size: there is no flow, but from the next image on.
    flow(texture(100, 160))
    assert not flow.steps(xy)[1].any()
    flow(texture(100, 160))
    assert flow.steps(xy)[1].any()


@pytest.mark.parametrize("size", [(1, 1), (4, 300), (15, 15)])
def test_images_that_are_too_small_have_no_flow(size):
    flow = Flow()
    flow(np.zeros((*size, 3), np.uint8))
    flow(np.zeros((*size, 3), np.uint8))
    assert not flow.steps(np.zeros((1, 2)))[1].any()
