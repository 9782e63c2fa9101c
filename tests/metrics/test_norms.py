"""Lengths: by hand, and NaN wherever a label is missing."""

from __future__ import annotations

import numpy as np
import pytest
from sizes import K

from posekit.geometry.skeleton import Skeleton
from posekit.metrics import norms
from posekit.skeletons import SKELETONS

LSP = SKELETONS["lsp14"]
M = 4


def test_boxes_by_hand():
    boxes = np.array([[10.0, 20, 40, 60], [0, 0, 0, 0], [5, 5, 3, 9]])
    np.testing.assert_allclose(norms.box_side(boxes), [40, np.nan, 4])
    np.testing.assert_allclose(norms.box_diagonal(boxes), [50, np.nan, 4])
    np.testing.assert_allclose(norms.box_root(boxes), [np.sqrt(1200), np.nan, np.nan])
    np.testing.assert_allclose(norms.head_box(boxes)[0], 30)


def test_interocular_needs_both_eyes_apart():
    truth = np.zeros((M, K, 2))
    truth[:, 4] = (3, 4)
    truth[2, 4] = 0
    labelled = np.ones((M, K), bool)
    labelled[0, 1] = labelled[1, 4] = False
    np.testing.assert_allclose(norms.interocular(truth, labelled, 1, 4), [np.nan, np.nan, np.nan, 5])


def body(shoulders, hips):
    """One pose of LSP with these (left, right) shoulders and hips; a box 100 high."""
    truth, labelled = np.zeros((1, 14, 2)), np.zeros((1, 14), bool)
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    for name, place in zip(names, (*shoulders, *hips), strict=True):
        if place is not None:
            truth[0, LSP.points.index(name)] = place
            labelled[0, LSP.points.index(name)] = True
    return norms.torso(truth, labelled, LSP, np.array([[0.0, 0, 50, 100]]))[0]


def test_torso_is_the_mean_of_the_labelled_diagonals():
    # left_shoulder to right_hip: (40, 0)-(10, 40) is 50; right_shoulder to left_hip: (10, 0)-(10, 30) is 30.
    assert body([(40, 0), (10, 0)], [(10, 30), (10, 40)]) == pytest.approx(40)
    assert body([(40, 0), None], [(10, 30), (10, 40)]) == pytest.approx(50)
    assert body([(40, 0), (10, 0)], [(10, 30), None]) == pytest.approx(30)


def test_torso_has_a_floor():
    assert body([(10, 0), (10, 0)], [(10, 1), (10, 2)]) == pytest.approx(12)
    assert body([(10, 0), None], [None, (10, 0)]) == pytest.approx(12)


def test_torso_is_nan_where_neither_diagonal_is_labelled():
    assert np.isnan(body([(40, 0), None], [(10, 30), None]))
    assert np.isnan(body([None, None], [None, None]))


def test_torso_wants_the_points_by_name():
    with pytest.raises(ValueError, match=r"has no points \['left_shoulder'"):
        norms.torso(np.zeros((1, 5, 2)), np.ones((1, 5), bool), SKELETONS["face5"], np.ones((1, 4)))


@pytest.mark.parametrize(
    ("name", "points", "pair"),
    [
        ("face", [f"lm_{i}" for i in range(68)], (36, 45)),
        ("face68", SKELETONS["face68"].points, (36, 45)),
        ("wflw98", SKELETONS["wflw98"].points, (60, 72)),
        ("thing", [f"lm_{i}" for i in range(68)], None),
        ("face", ["left_eye_img", "right_eye_img", "nose", "left_mouth_img", "right_mouth_img"], (0, 1)),
        ("cat", ["nose", "Left Eye", "Right Eye"], (1, 2)),
        ("face", ["left_eyebrow", "right_eyebrow", "nose"], None),
        ("mouse", ["snout", "leftear", "rightear", "tailbase"], None),
        ("coco17", SKELETONS["coco17"].points, None),
    ],
)
def test_which_skeletons_are_faces(name, points, pair):
    assert norms.eyes(Skeleton(name=name, points=tuple(points))) == pair


def test_which_skeletons_have_a_torso():
    assert {name for name, s in SKELETONS.items() if norms.has_torso(s)} == {
        *("coco17", "crowdpose14", "mpii16", "lsp14", "body25", "openpose18", "mediapipe33"),
    }
