"""Windows by hand: who hides whom, squares, moves, cuts; areas averaged at once against torch one by one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from posekit.pipelines.mtcnn.area import resized, summed
from posekit.pipelines.mtcnn.windows import Windows, moved, pixels_of, placed, squared


def windows_of(boxes, score, image=None):
    """Windows that say nothing but their score."""
    boxes, score = np.array(boxes, np.float32), np.array(score, np.float32)
    image = np.zeros(len(boxes), np.int64) if image is None else np.array(image)
    return Windows(boxes, score, image, boxes, np.zeros((len(boxes), 0, 2), np.float32))


def test_a_small_box_inside_a_large_one_is_hidden_only_when_measured_by_the_smaller():
    windows = windows_of([[0.0, 0, 10, 10], [2, 2, 7, 6]], [0.9, 0.8])
    assert windows.suppressed(0.7, "union").score.tolist() == windows.score.tolist()
    assert windows.suppressed(0.7, "smaller").score.tolist() == windows.score[:1].tolist()


def test_the_best_come_first_and_windows_of_two_images_do_not_meet():
    row = [[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [4, 0, 14, 10]]
    score = [0.5, 0.75, 0.625, 0.125]
    alone = windows_of(row, score).suppressed(0.3)
    assert alone.score.tolist() == [0.75]
    apart = windows_of(row, score, [0, 1, 0, 0]).suppressed(0.3)
    assert (apart.score.tolist(), apart.image.tolist()) == ([0.75, 0.625, 0.5], [1, 0, 0])
    assert apart.boxes.tolist() == [row[1], row[2], row[0]]


def test_of_equal_scores_the_first_stays():
    windows = windows_of([[0.0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]], [0.5] * 3)
    assert windows.suppressed(0.5).boxes.tolist() == [[0, 0, 10, 10]]


def test_nothing_is_hidden_where_nothing_is():
    windows = Windows.none()
    assert len(windows.suppressed(0.5).boxes) == 0
    assert Windows.joined([windows, windows]).points.shape == (0, 0, 2)


def test_an_inset_measures_overlap_between_pixel_centres():
    # 11 x 11 pixels, 5 apart: 6 * 11 / (2 * 121 - 66) = 0.375; less one pixel 5 * 10 / 150 = 1 / 3.
    boxes = [[0.0, 0, 11, 11], [5, 0, 16, 11]]
    two = windows_of(boxes, [0.9, 0.8])
    assert len(two.suppressed(0.36).boxes) == 1
    assert len(two.suppressed(0.36, inset=1).boxes) == 2


def array(values):
    return np.array(values, np.float32)


def test_squares_keep_the_centre_and_a_square_stays():
    boxes = array([[10.0, 20, 30, 80], [0, 0, 50, 20], [3, 4, 13, 14]])
    once = squared(boxes)
    np.testing.assert_allclose(once, array([[-10.0, 20, 50, 80], [0, -15, 50, 35], [3, 4, 13, 14]]))
    np.testing.assert_allclose(squared(once), once)


def test_moves_are_shares_of_width_and_height():
    box, moves = array([[10.0, 20, 30, 60]]), array([[0.1, -0.1, 0.2, 0.05]])
    np.testing.assert_allclose(moved(box, moves), array([[12.0, 16, 34, 62]]), rtol=1e-6)
    np.testing.assert_allclose(moved(box, moves, shorter=1), array([[11.9, 16.1, 33.8, 61.95]]))


def test_points_are_shares_of_their_own_box():
    boxes = array([[10.0, 20, 30, 60], [0, 0, 4, 4]])
    points = array([[[0.0, 0], [0.5, 1]], [[1, 0.25], [-0.5, 0]]])
    np.testing.assert_allclose(placed(points, boxes), array([[[10.0, 20], [20, 60]], [[4, 1], [-2, 0]]]))


def test_boxes_are_cut_to_whole_pixels_of_the_image():
    boxes = array([[2.7, 3.2, 9.9, 8.0], [-4.5, -0.1, 200, 5.5], [-9, -9, -3, -3], [50, 2, 60, 9]])
    cut = pixels_of(boxes, 12, 40)
    assert cut.tolist() == [[2, 3, 9, 8], [0, 0, 40, 5], [0, 0, -3, -3], [50, 2, 40, 9]]


@pytest.mark.parametrize("size", [(24, 24), (3, 5), (1, 1), (40, 33)])
def test_parts_scaled_at_once_equal_torch_one_by_one(size):
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 37, 3), dtype=np.uint8)
    which = np.array([0, 1, 1])
    parts = np.array([[0, 0, 37, 30], [5, 7, 29, 12], [36, 29, 37, 30]])
    ours = resized(summed(images), which, parts, size)
    for got, image, (x0, y0, x1, y1) in zip(ours, which, parts.tolist(), strict=True):
        part = torch.from_numpy(images[image, y0:y1, x0:x1]).permute(2, 0, 1)[None].float()
        expected = F.interpolate(part, size, mode="area")[0].permute(1, 2, 0)
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5)
