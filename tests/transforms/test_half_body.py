import numpy as np
import pytest

from posekit.geometry.keypoints import Keypoints
from posekit.geometry.skeleton import Skeleton
from posekit.transforms.half_body import half_body_box, lower_points

NAMED = Skeleton(name="named", points=("nose", "neck", "hand", "left_hip", "right_knee", "left_ankle", "tail"))
NUMBERED = Skeleton(name="numbered", points=tuple("abcdefg"))
XY = np.array([[[10, 0], [14, 2], [18, 10], [4, 20], [8, 30], [6, 40], [2, 44]]], np.float32)
SIZE = (40, 20)


def keypoints(labelled=(1, 1, 1, 1, 1, 1, 1)):
    return Keypoints(XY, np.array([labelled]) * 2)


def test_names_tell_the_halves_apart():
    assert lower_points(NAMED).tolist() == [False] * 3 + [True] * 4
    assert lower_points(NUMBERED) is None
    assert lower_points(Skeleton(name="legs", points=("left_leg", "right_leg"))) is None


def test_upper_half_by_hand():
    # Points 0-2: mean (14, 4), range 8 x 10; a crop of 20 x 40 (w x h) makes max(8 / 20, 10 / 40) = 0.4: 8 x 16.
    box = half_body_box(keypoints(), NAMED, SIZE, upper=True)
    np.testing.assert_allclose(box, [10, -4, 18, 12])


def test_lower_half_by_hand():
    # Points 3-6: mean (5, 33.5), range 6 x 24; max(6 / 20, 24 / 40) = 0.6: 12 x 24.
    box = half_body_box(keypoints(), NAMED, SIZE, upper=False)
    np.testing.assert_allclose(box, [-1, 21.5, 11, 45.5])


def test_without_names_the_median_height_parts_them():
    # The median height is 20 (point 3), which counts as upper: points 4-6 are the lower half.
    box = half_body_box(keypoints(), NUMBERED, SIZE, upper=False)
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, XY[0, 4:].mean(0), rtol=1e-6)


def test_a_half_with_too_few_points_gives_way_to_the_other():
    box = half_body_box(keypoints((1, 0, 1, 1, 1, 1, 0)), NAMED, SIZE, upper=True)
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, XY[0, 3:6].mean(0), rtol=1e-6)


@pytest.mark.parametrize("labelled", [(1, 1, 1, 0, 0, 0, 0), (1, 1, 0, 1, 1, 0, 0), (0,) * 7])
def test_no_half_where_little_is_labelled(labelled):
    assert half_body_box(keypoints(labelled), NAMED, SIZE, upper=True) is None


def test_no_half_where_its_points_coincide():
    same = Keypoints(np.full((1, 7, 2), 3.0), np.full((1, 7), 2))
    assert half_body_box(same, NAMED, SIZE, upper=True) is None
