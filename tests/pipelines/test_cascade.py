"""The cascade by networks whose answer is known or drawn; the published ones have a test of their own."""

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import MTCNN, Cascade, proposals
from posekit.zoo.mtcnn import engines_of

EASY = Cascade(scores=(0.3, 0.3, 0.3))


def cascade(nets, config):
    return MTCNN(engines_of(nets), config)


def pipeline(config=EASY):
    torch.manual_seed(4)
    return cascade(Nets.drawn(), config)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def one_window():
    """12 x 30 pixels, in which `Bright` finds the window (8, 0, 20, 12): looked at in 13 x 31 cells, the eighth of them
    touches these two pixels."""
    image = np.zeros((12, 30, 3), np.uint8)
    image[0, 7:9] = 255
    return image


class Bright(nn.Module):
    """A proposal net that takes windows for faces whose first pixel is white."""

    def forward(self, image):
        seen = image[:, :1, : image.shape[2] - 11 : 2, : image.shape[3] - 11 : 2] / 255 * 40 - 20
        return {"face": torch.cat([-seen, seen], 1), "box": torch.zeros_like(seen).repeat(1, 4, 1, 1)}


class Sure(nn.Module):
    """Takes each window for a face; its moves and points are told."""

    def __init__(self, side, moves, points=None):
        super().__init__()
        self.side, self.moves, self.points = side, moves, points

    def forward(self, image):
        n = len(image)
        maps = {"face": torch.tensor([-3.0, 3.0]).expand(n, 2), "box": torch.tensor(self.moves).expand(n, 4)}
        return maps if self.points is None else {**maps, "points": torch.tensor(self.points).expand(n, 5, 2)}


def test_the_sizes_of_an_image_by_the_published_vector():
    sizes = [int(512 * scale + 1) for scale in Cascade().scales(512, 700)]
    assert sizes == [308, 218, 155, 110, 78, 56, 40, 28, 20, 14]
    assert Cascade().scales(19, 400) == []
    assert Cascade().scales(20, 400) == [0.6]
    assert len(Cascade(smallest=40).scales(512, 512)) == 8


def test_the_window_of_a_cell_in_both_frames():
    face = np.full((2, 2, 3, 4), 0.0, np.float32)
    face[1, 1, 2, 3] = 9.0
    box = np.arange(2 * 4 * 12, dtype=np.float32).reshape(2, 4, 3, 4)
    found = proposals(face, box, 0.25, 0.6)
    # Cell (2, 3), counted from 1: first pixels floor((6 + 1) / .25) = 28 and 20, last ones 18 / .25 = 72 and 64.
    assert found.boxes.tolist() == [[27, 19, 72, 64]]
    assert (found.image.tolist(), found.moves.tolist()) == ([1], [[59, 71, 83, 95]])
    whole = proposals(face, box, 1.0, 0.6)
    assert whole.boxes.tolist() == [[6, 4, 18, 16]]


def test_boxes_and_points_by_hand_through_all_three():
    image = one_window()
    points = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.25, 1.0], [0.75, 1.0]]
    nets = Nets(Bright(), Sure(24, [0.25, 0.0, -0.25, 0.0]), Sure(48, [0.5, 0.0, 0.0, -0.25], points))
    # The window is (8, 0, 20, 12). The second look moves it to (11, 0, 17, 12), made square again to where it was; the
    # third locations the points in that and moves left and bottom.
    (poses,) = cascade(nets, Cascade(smallest=12))([image])
    np.testing.assert_allclose(poses.boxes, [[14, 0, 20, 9]], atol=1e-5)
    np.testing.assert_allclose(poses.xy, [[[8, 0], [20, 0], [14, 6], [11, 12], [17, 12]]], atol=1e-5)
    sure = 1 / (1 + np.exp(-6))
    np.testing.assert_allclose(poses.score, np.full((1, 5), sure), rtol=1e-5)
    np.testing.assert_allclose(poses.instance_score, [sure], rtol=1e-5)


@pytest.mark.parametrize(("scores", "count"), [((0.6, 0.99, 0.99), 1), ((0.6, 0.998, 0.7), 0), ((0.6, 0.7, 0.998), 0)])
def test_each_network_drops_what_it_scores_too_low(scores, count):
    # The second and the third network score the window by the sigmoid of 6, which is 0.9975.
    nets = Nets(Bright(), Sure(24, [0.0] * 4), Sure(48, [0.0] * 4, [[0.5, 0.5]] * 5))
    (poses,) = cascade(nets, Cascade(smallest=12, scores=scores))([one_window()])
    assert len(poses) == count


def test_a_window_that_is_moved_out_of_the_image_is_dropped():
    image = one_window()
    nets = Nets(Bright(), Sure(24, [9.0, 0.0, 9.0, 0.0]), Sure(48, [0.0] * 4, [[0.5, 0.5]] * 5))
    (poses,) = cascade(nets, Cascade(smallest=12))([image])
    assert poses.xy.shape == (0, 5, 2)


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (19, 19)])
def test_tiny_images_hold_no_face(size):
    (poses,) = pipeline()([picture(*size)])
    assert [poses.xy.shape, poses.score.shape, poses.instance_score.shape] == [(0, 5, 2), (0, 5), (0,)]
    assert poses.boxes.shape == (0, 4)
    assert poses.xy.dtype == poses.boxes.dtype == np.float32


def test_no_image_no_answer_and_no_face_no_poses():
    assert pipeline()([]) == []
    (poses,) = pipeline(Cascade(scores=(0.999, 0.999, 0.999)))([picture(40, 60)])
    assert (len(poses), poses.score.shape) == (0, (0, 5))


def test_images_together_say_what_each_says_alone():
    images = [picture(48, 64, 1), picture(30, 90, 2), picture(48, 64, 3), picture(10, 10), picture(48, 64, 4)]
    together = pipeline()(images)
    assert [len(poses) > 0 for poses in together] == [True, True, True, False, True]
    for image, poses in zip(images, together, strict=True):
        (alone,) = pipeline()([image])
        for name in ("xy", "score", "instance_score", "boxes"):
            np.testing.assert_allclose(getattr(poses, name), getattr(alone, name), rtol=1e-4, atol=1e-3)


def test_the_best_face_comes_first_and_nothing_is_infinite():
    (poses,) = pipeline()([picture(80, 100)])
    assert len(poses) > 1
    assert (np.diff(poses.instance_score) <= 0).all()
    assert np.isfinite(poses.xy).all() and np.isfinite(poses.boxes).all()
    np.testing.assert_array_equal(poses.score, np.repeat(poses.instance_score[:, None], 5, 1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 9), np.uint8), r"image 1: expected RGB uint8 .*; got uint8 \(8, 9\); repeat a grey image"),
        (np.zeros((8, 9, 1), np.uint8), r"image 1: .* got uint8 \(8, 9, 1\)"),
        (np.zeros((8, 9, 3), np.float32), r"image 1: .* got float32"),
        (None, "image 1: .* got NoneType"),
        (np.zeros((0, 9, 3), np.uint8), r"image 1: expected at least one pixel, got shape \(0, 9, 3\)"),
    ],
)
def test_what_is_no_colour_image_is_refused_by_its_number(image, message):
    with pytest.raises(ValueError, match=message):
        pipeline()([picture(20, 30), image])


@pytest.mark.parametrize(
    "wrong", [{"smallest": 0}, {"shrink": 1.0}, {"scores": (0.6, 0.7)}, {"overlaps": (0.5, 0.7, 0.7, 1.5)}, {"face": 3}]
)
def test_a_cascade_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Cascade(**wrong)


def test_a_cascade_is_a_value():
    assert dataclasses.replace(Cascade(), smallest=20.0) == Cascade()
