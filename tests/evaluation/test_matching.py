"""Which pose found in an image belongs to which labelled person."""

from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR

from posekit.data.dataset import Dataset, ImageRecord
from posekit.evaluation.matching import matched, precision
from posekit.geometry.keypoints import INSTANCE, Poses


def square(x):
    """Four points, from x and 40 on."""
    return np.array([(x, 40.0), (x + 20, 40.0), (x + 20, 60.0), (x, 60.0)])


@pytest.fixture
def pair():
    """One image of two people side by side, 30 pixels apart."""
    xy = np.stack([square(10.0), square(40.0)])
    return Dataset(
        skeleton=FOUR,
        images=(ImageRecord(path="a.png", width=96, height=96, id=7),),
        xy=xy,
        visibility=np.full((2, 4), 2, np.int8),
        boxes=np.concatenate([xy.min(1), xy.max(1)], 1),
        area=np.full(2, 400.0),
        category=np.zeros(2, np.int64),
        role=np.full(2, INSTANCE, np.int8),
        image=np.zeros(2, np.int64),
        annotation_id=np.array([1, 2]),
    )


def poses(*shifts, score=(0.9, 0.8)):
    """The first person moved right by each of the shifts."""
    xy = np.stack([square(10.0 + shift) for shift in shifts])
    scores = np.asarray(score[: len(shifts)])
    return Poses(xy, np.repeat(scores[:, None], 4, 1), scores)


def points_of(found):
    return found.xy, found.score


def test_a_pose_belongs_to_one_person_only(pair):
    xy, score = points_of(matched([poses(1)], pair))
    np.testing.assert_allclose(xy[0], square(11.0))
    # The second person, for whom no pose is left, lies in the centre of its box with no score.
    np.testing.assert_allclose(xy[1], np.full((4, 2), (50.0, 50.0)))
    assert score[:, 0].tolist() == [0.9, 0.0]


def test_a_person_gets_the_pose_most_like_it_and_no_second_one(pair):
    xy, score = points_of(matched([poses(-2, 1)], pair))
    np.testing.assert_allclose(xy[0], square(11.0))
    assert score[0, 0] == 0.8
    # The other pose goes to the second person, though it lies further away.
    np.testing.assert_allclose(xy[1], square(8.0))


def test_a_pose_that_is_like_nobody_belongs_to_nobody(pair):
    xy, score = points_of(matched([poses(1e4)], pair))
    np.testing.assert_allclose(xy, [np.full((4, 2), (20.0, 50.0)), np.full((4, 2), (50.0, 50.0))])
    assert (score == 0).all()


def test_an_area_of_nothing_counts_as_a_pixel(pair):
    xy, score = points_of(matched([poses(0, 30)], replace(pair, area=np.zeros(2))))
    np.testing.assert_allclose(xy, pair.xy)
    assert score[:, 0].tolist() == [0.9, 0.8]


def test_only_labelled_points_are_compared(pair):
    visibility = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.int8)
    spoilt = pair.xy.copy()
    spoilt[0, 2:], spoilt[1, 2:] = spoilt[1, 2:], spoilt[0, 2:].copy()
    score = matched([poses(3, 29)], replace(pair, visibility=visibility, xy=spoilt)).score
    assert score[:, 0].tolist() == [0.9, 0.8]
    unlabelled = replace(pair, visibility=visibility, xy=np.where(visibility[..., None] > 0, pair.xy, 1e4))
    np.testing.assert_allclose(matched([poses(0, 30)], unlabelled).xy, pair.xy)


def test_images_of_one_id_are_still_two(pair):
    two = replace(pair, images=pair.images * 2, image=np.array([0, 1]))
    assert precision([poses(0), poses(30)], two)["AP"] == pytest.approx(1)
    assert precision([poses(30), poses(0)], two)["AP"] == pytest.approx(0)
