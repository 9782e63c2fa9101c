"""Windows by hand: overlaps, who hides whom, squares, moves, cuts; areas averaged at once against torch one by one."""

import pytest
import torch
import torch.nn.functional as F

from posekit.pipelines import windows as module
from posekit.pipelines.area import resized, summed
from posekit.pipelines.windows import Windows, moved, overlap, pixels_of, placed, squared, unhidden


def test_overlaps_by_hand():
    large, small, apart, empty = [0.0, 0, 10, 10], [2.0, 2, 7, 6], [20.0, 0, 30, 10], [3.0, 3, 3, 9]
    a, b = torch.tensor([large, [5.0, 0, 15, 10]]), torch.tensor([small, apart, empty])
    # Areas 100 and 20; the second large box covers a column of 2 x 4 of the small one.
    torch.testing.assert_close(overlap(a, b, "union"), torch.tensor([[0.2, 0, 0], [8 / 112, 0, 0]]))
    torch.testing.assert_close(overlap(a, b, "smaller"), torch.tensor([[1.0, 0, 0], [0.4, 0, 0]]))


def test_a_small_box_inside_a_large_one_is_hidden_only_when_measured_by_the_smaller():
    boxes, score, group = torch.tensor([[0.0, 0, 10, 10], [2, 2, 7, 6]]), torch.tensor([0.9, 0.8]), torch.zeros(2)
    assert unhidden(boxes, score, group, 0.7, "union").tolist() == [0, 1]
    assert unhidden(boxes, score, group, 0.7, "smaller").tolist() == [0]


def test_who_is_hidden_hides_nobody_and_groups_do_not_meet():
    row = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [4, 0, 14, 10]])
    score = torch.tensor([0.7, 0.9, 0.8, 0.1])
    assert unhidden(row, score, torch.zeros(4), 0.3).tolist() == [1]
    score = torch.tensor([0.9, 0.8, 0.7, 0.1])
    assert unhidden(row, score, torch.zeros(4), 0.3).tolist() == [0, 2]
    assert unhidden(row, score, torch.tensor([0, 0, 0, 1]), 0.3).tolist() == [0, 2, 3]


def test_of_equal_scores_the_first_stays():
    boxes = torch.tensor([[0.0, 0, 10, 10]]).expand(3, 4)
    assert unhidden(boxes, torch.full((3,), 0.5), torch.zeros(3), 0.5).tolist() == [0]


@pytest.mark.parametrize("block", [1, 7, 64, 1024])
@pytest.mark.parametrize("over", ["union", "smaller"])
def test_blocks_and_rounds_give_what_going_one_by_one_gives(block, over, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    draw = torch.Generator().manual_seed(3)
    corner = torch.rand(150, 2, generator=draw) * 40
    boxes = torch.cat([corner, corner + 5 + torch.rand(150, 2, generator=draw) * 20], 1)
    score, group = torch.rand(150, generator=draw), torch.randint(3, (150,), generator=draw)
    stay = []
    for i in score.argsort(descending=True).tolist():
        rivals = [j for j in stay if group[j] == group[i]]
        if not any(overlap(boxes[[i]], boxes[[j]], over) > 0.3 for j in rivals):
            stay.append(i)
    assert 10 < len(stay) < 140
    assert unhidden(boxes, score, group, 0.3, over).tolist() == stay


def test_nothing_is_hidden_where_nothing_is():
    windows = Windows.none(torch.device("cpu"))
    assert len(windows.thinned(0.5).boxes) == 0
    assert Windows.joined([windows, windows]).points.shape == (0, 0, 2)


def test_an_inset_measures_overlap_between_pixel_centres():
    # 11 x 11 pixels, 5 apart: 6 * 11 / (2 * 121 - 66) = 0.375; less one pixel 5 * 10 / 150 = 1 / 3.
    boxes = torch.tensor([[0.0, 0, 11, 11], [5, 0, 16, 11]])
    none = Windows.none(torch.device("cpu"))
    two = Windows(boxes, torch.tensor([0.9, 0.8]), torch.zeros(2).long(), boxes, none.points.new_zeros(2, 0, 2))
    assert len(two.thinned(0.36).boxes) == 1
    assert len(two.thinned(0.36, inset=1).boxes) == 2


def test_squares_keep_the_centre_and_a_square_stays():
    boxes = torch.tensor([[10.0, 20, 30, 80], [0, 0, 50, 20], [3, 4, 13, 14]])
    once = squared(boxes)
    torch.testing.assert_close(once, torch.tensor([[-10.0, 20, 50, 80], [0, -15, 50, 35], [3, 4, 13, 14]]))
    torch.testing.assert_close(squared(once), once)


def test_moves_are_shares_of_width_and_height():
    box, moves = torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[0.1, -0.1, 0.2, 0.05]])
    torch.testing.assert_close(moved(box, moves), torch.tensor([[12.0, 16, 34, 62]]))
    torch.testing.assert_close(moved(box, moves, shorter=1), torch.tensor([[11.9, 16.1, 33.8, 61.95]]))


def test_points_are_shares_of_their_own_box():
    boxes = torch.tensor([[10.0, 20, 30, 60], [0, 0, 4, 4]])
    points = torch.tensor([[[0.0, 0], [0.5, 1]], [[1, 0.25], [-0.5, 0]]])
    torch.testing.assert_close(placed(points, boxes), torch.tensor([[[10.0, 20], [20, 60]], [[4, 1], [-2, 0]]]))


def test_boxes_are_cut_to_whole_pixels_of_the_image():
    boxes = torch.tensor([[2.7, 3.2, 9.9, 8.0], [-4.5, -0.1, 200, 5.5], [-9, -9, -3, -3], [50, 2, 60, 9]])
    cut = pixels_of(boxes, 12, 40)
    assert cut.tolist() == [[2, 3, 9, 8], [0, 0, 40, 5], [0, 0, -3, -3], [50, 2, 40, 9]]


@pytest.mark.parametrize("size", [(24, 24), (3, 5), (1, 1), (40, 33)])
def test_parts_scaled_at_once_equal_torch_one_by_one(size):
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(256, (2, 30, 37, 3), generator=draw, dtype=torch.uint8)
    which = torch.tensor([0, 1, 1])
    parts = torch.tensor([[0, 0, 37, 30], [5, 7, 29, 12], [36, 29, 37, 30]])
    ours = resized(summed(images), which, parts, size)
    for got, image, (x0, y0, x1, y1) in zip(ours, which, parts.tolist(), strict=True):
        part = images[image, y0:y1, x0:x1].permute(2, 0, 1)[None].float()
        torch.testing.assert_close(got[None], F.interpolate(part, size, mode="area"))
