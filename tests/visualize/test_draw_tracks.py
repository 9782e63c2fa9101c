"""Ids are drawn as colours and labels."""

import numpy as np
import pytest
from figures import FOUR

from posekit.geometry.keypoints import Poses
from posekit.visualize.draw import draw_poses
from posekit.visualize.tracks import draw_tracked, id_colour

IMAGE = np.full((120, 160, 3), 60, np.uint8)


def near(pixel, colour):
    """Anti-aliased lines are not quite of their colour."""
    return np.abs(pixel.astype(int) - colour).max() < 24


def poses(**more):
    xy = np.array([[[40, 50], [80, 50], [40, 90], [80, 90]]], np.float32)
    return Poses(xy, np.full((1, 4), 0.9, np.float32), np.array([0.9], np.float32), **more)


def test_without_ids_it_is_the_plain_drawing_at_the_size_of_the_image():
    drawn = draw_tracked(IMAGE, poses(), FOUR)
    assert drawn.shape == IMAGE.shape
    assert (drawn == draw_poses(IMAGE, poses().xy, poses().score, FOUR, enlarge=0)).all()


def test_the_box_has_the_colour_of_the_id():
    box = np.array([[30, 40, 90, 100]], np.float32)
    drawn = draw_tracked(IMAGE, poses(ids=np.array([7]), boxes=box), FOUR)
    assert near(drawn[70, 30], id_colour(7)) and near(drawn[100, 60], id_colour(7))
    assert (drawn[5, 5] == 60).all()
    # The label is above the box.
    assert (drawn[36, 32:36] == id_colour(7)).all(-1).any()


@pytest.mark.parametrize("score", [0.9, 0.0])
def test_without_boxes_it_is_around_the_points(score):
    some = Poses(poses().xy, np.full((1, 4), score), np.array([0.9]), ids=np.array([2]))
    drawn = draw_tracked(IMAGE, some, FOUR)
    assert near(drawn[70, 36], id_colour(2)) == (score > 0.3)


def test_near_ids_have_different_colours():
    colours = np.array([id_colour(number) for number in range(1, 13)])
    apart = np.abs(colours[:, None] - colours).sum(-1) + 999 * np.eye(12)
    assert apart.min() > 60


def test_points_and_boxes_that_are_not_finite_are_left_out():
    nowhere = poses(ids=np.array([1]), boxes=np.full((1, 4), np.nan, np.float32))
    nowhere.xy[:] = np.nan
    assert (draw_tracked(IMAGE, nowhere, FOUR) == IMAGE).all()
    assert (draw_tracked(IMAGE, poses(ids=np.array([1]))[:0], FOUR) == IMAGE).all()
