"""The known skeletons agree with their data sets' publications."""

from __future__ import annotations

import numpy as np
import pytest

from posekit.geometry.sides import infer_mirror
from posekit.skeletons import SKELETONS

COUNTS = {
    "coco17": 17,
    "crowdpose14": 14,
    "mpii16": 16,
    "lsp14": 14,
    "body25": 25,
    "openpose18": 18,
    "mediapipe33": 33,
    "face5": 5,
    "face68": 68,
    "wflw98": 98,
    "hand21": 21,
    "ap10k17": 17,
}


def test_the_table_holds_the_known_names():
    assert {name: len(s.points) for name, s in SKELETONS.items()} == COUNTS
    assert all(s.name == name for name, s in SKELETONS.items())


@pytest.mark.parametrize("name", SKELETONS)
def test_flip_is_an_involution_that_trades_left_for_right(name):
    skeleton = SKELETONS[name]
    flip = np.array(skeleton.flip)
    assert (flip[flip] == np.arange(len(flip))).all()
    for i, j in enumerate(flip):
        swapped = skeleton.points[i].replace("left", "*").replace("right", "left").replace("*", "right")
        assert skeleton.points[j] == swapped


@pytest.mark.parametrize("name", SKELETONS)
def test_mirror_pairs_are_those_the_names_give_away(name):
    skeleton = SKELETONS[name]
    assert {frozenset(pair) for pair in skeleton.mirror} == {frozenset(p) for p in infer_mirror(skeleton.points)}


@pytest.mark.parametrize("name", SKELETONS)
def test_bones_reach_every_point_once_and_are_symmetric(name):
    skeleton = SKELETONS[name]
    edges = {frozenset(edge) for edge in skeleton.edges}
    assert len(edges) == len(skeleton.edges)
    reached = set().union(*edges) | {i for i, p in enumerate(skeleton.points) if "pupil" in p}
    assert reached == set(range(len(skeleton.points)))
    assert {frozenset(skeleton.flip[i] for i in edge) for edge in edges} == edges


def test_published_flips():
    # COCO and CrowdPose as in the papers' code, 300W and WFLW by their swap tables.
    assert SKELETONS["coco17"].flip == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
    assert SKELETONS["crowdpose14"].flip == (1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13)
    assert SKELETONS["mpii16"].flip == (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)
    assert SKELETONS["face5"].flip == (1, 0, 2, 4, 3)
    assert SKELETONS["hand21"].flip == tuple(range(21))


def runs(*pairs):
    """Index pairs of runs: (a, b, n) pairs a + i with b - i."""
    return {frozenset((a + i, b - i)) for a, b, n in pairs for i in range(n)}


def swapped(name):
    return {frozenset((i, j)) for i, j in enumerate(SKELETONS[name].flip) if i != j}


def test_published_swaps_of_300w():
    jaw, brows, nose = (0, 16, 8), (17, 26, 5), (31, 35, 2)
    eyes = ((36, 45, 4), (40, 47, 2))
    lips, mouth = ((48, 54, 3), (55, 59, 2)), ((60, 64, 2), (65, 67, 1))
    assert swapped("face68") == runs(jaw, brows, nose, *eyes, *lips, *mouth)


def test_published_swaps_of_wflw():
    jaw, brows, nose = (0, 32, 16), ((33, 46, 5), (38, 50, 4)), (55, 59, 2)
    eyes = ((60, 72, 5), (65, 75, 3))
    lips, mouth, pupils = ((76, 82, 3), (83, 87, 2)), ((88, 92, 2), (93, 95, 1)), (96, 97, 1)
    assert swapped("wflw98") == runs(jaw, *brows, nose, *eyes, *lips, *mouth, pupils)


def test_published_sigmas():
    coco = SKELETONS["coco17"].oks_sigmas
    assert coco == (
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
        *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    )
    sigmas = SKELETONS["crowdpose14"].oks_sigmas
    assert sigmas == (0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079)
    mpii = SKELETONS["mpii16"].oks_sigmas
    assert mpii == (
        *(0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026),
        *(0.026, 0.026, 0.062, 0.072, 0.179, 0.179, 0.072, 0.062),
    )
    without = {name for name, s in SKELETONS.items() if s.unknown_sigmas}
    assert without == {"lsp14", "face5", "wflw98", "mediapipe33", "body25", "openpose18"}
    # COCO has no neck and no point between the hips.
    assert SKELETONS["body25"].unknown_sigmas == ("neck", "mid_hip")
    assert SKELETONS["openpose18"].unknown_sigmas == ("neck",)


def test_eye_corners_stand_where_the_protocols_want_them():
    # 300W measures by points 36 and 45, WFLW by 60 and 72: the outer corners.
    for name, right, left in (("face68", 36, 45), ("wflw98", 60, 72)):
        points = SKELETONS[name].points
        assert (points[right], points[left]) == ("right_eye_outer", "left_eye_outer")


def test_the_mirror_of_a_symmetric_face_is_itself():
    # Faces drawn by hand on a grid of which x = 0 is the axis: outer corners at 3, inner at 1, and so on.
    template = {
        **{"right_eye_outer": -3, "right_eye_inner": -1, "left_eye_inner": 1, "left_eye_outer": 3},
        **{"right_lip_corner": -2, "left_lip_corner": 2, "chin": 0, "nose_tip": 0, "lip_upper": 0, "lip_lower": 0},
        **{"right_jaw_1": -5, "left_jaw_1": 5, "right_nostril_1": -0.7, "left_nostril_1": 0.7, "nose_base": 0},
    }
    for name in ("face68", "wflw98"):
        skeleton = SKELETONS[name]
        for point, x in template.items():
            twin = skeleton.points[skeleton.flip[skeleton.points.index(point)]]
            assert template[twin] == -x
