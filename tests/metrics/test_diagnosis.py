"""Kinds of errors: each is made on purpose and told apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.metrics.diagnosis import GOOD, KINDS, NEAR, diagnose
from posekit.metrics.similarity import oks

MIRROR = (0, 2, 1)
SIGMAS = (0.05, 0.05, 0.05)
TRUTH = np.array([[[50.0, 10], [20, 60], [80, 60]], [[250, 10], [220, 60], [280, 60]], [[50, 10], [20, 60], [80, 60]]])
LABELLED = np.ones((3, 3), bool)
AREA = np.full(3, 10_000.0)
IMAGES = np.array([7, 7, 9])
"""Two people in one image, and one in another at the same place as the first."""
NAMES = list(KINDS)


def kinds(xy, labelled=LABELLED, area=AREA, found=None):
    made = diagnose(xy, TRUTH, labelled, area, IMAGES, SIGMAS, MIRROR, found)
    return [[NAMES[k] if k >= 0 else "" for k in row] for row in made.kinds]


def moved(instance, point, to):
    xy = TRUTH.copy()
    xy[instance, point] = to
    return xy


def test_perfect_points_are_good():
    assert kinds(TRUTH) == [["good"] * 3] * 3


@pytest.mark.parametrize(
    ("instance", "point", "to", "kind"),
    [
        # At 2 * 0.05 * 100 = 10 px the similarity is 0.61, at 14 px 0.375.
        (0, 1, (30, 60), "jitter"),
        (0, 1, (34, 60), "miss"),
        (0, 1, (80, 60), "inversion"),
        (0, 1, (220, 60), "swap"),
        (0, 1, (280, 60), "swap"),
        (0, 0, (250, 12), "swap"),
        (0, 1, (50, 10), "miss"),
        (0, 1, (np.nan, 60), "miss"),
        # The others of image 7 are not in image 9.
        (2, 1, (220, 60), "miss"),
    ],
)
def test_each_kind(instance, point, to, kind):
    found = kinds(moved(instance, point, to))
    assert found[instance][point] == kind
    found[instance][point] = "good"
    assert found == [["good"] * 3] * 3


def test_what_is_not_labelled_is_nothing_and_cannot_be_swapped_with():
    labelled = LABELLED.copy()
    labelled[1, 1] = labelled[0, 2] = False
    found = kinds(moved(0, 1, (220, 60)), labelled)
    assert found[0] == ["good", "miss", ""] and found[1][1] == ""
    assert kinds(moved(0, 1, (80, 60)), labelled)[0][1] == "miss"


def test_an_instance_without_an_area_counts_as_unlabelled():
    assert kinds(TRUTH, area=np.array([0, 1e4, np.nan]))[::2] == [[""] * 3] * 2


def test_an_instance_without_a_pose_is_not_found():
    assert kinds(TRUTH, found=np.array([True, False, True]))[1] == ["not found"] * 3


def test_one_mirror_point_each():
    with pytest.raises(ValueError, match="one mirror point for each of 3 points is needed; got 2"):
        diagnose(TRUTH, TRUTH, LABELLED, AREA, IMAGES, SIGMAS, (0, 1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_costs_add_up_to_what_is_missing_to_1(seed, many):
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 300, (many, 3, 2))
    xy = truth + random.normal(0, random.choice([2.0, 40.0], (many, 3, 1)), truth.shape)
    labelled, area = random.random((many, 3)) < 0.8, random.uniform(500, 1e4, many)
    images = random.integers(0, 4, many)
    made = diagnose(xy, truth, labelled, area, images, SIGMAS, MIRROR)
    if not labelled.any():
        assert np.isnan(made.share()["good"])
        return
    assert sum(made.share().values()) == pytest.approx(1)
    assert sum(made.lost().values()) == pytest.approx(1 - made.similarity[labelled].mean())
    one = labelled.sum(1) == 3
    assert made.similarity[one].mean(1) == pytest.approx(oks(xy, truth, labelled, area, SIGMAS)[one])
    assert (made.similarity[made.kinds == 0] >= GOOD).all()
    assert (made.similarity[made.kinds == NAMES.index("miss")] < NEAR).all()
    # Mixing the instances changes nothing.
    order = random.permutation(many)
    again = diagnose(xy[order], truth[order], labelled[order], area[order], images[order], SIGMAS, MIRROR)
    assert (again.kinds == made.kinds[order]).all()
    # Neither does mirroring points and labels.
    flip = list(MIRROR)
    turned = diagnose(xy[:, flip], truth[:, flip], labelled[:, flip], area, images, SIGMAS, MIRROR)
    assert (turned.kinds[:, flip] == made.kinds).all()
