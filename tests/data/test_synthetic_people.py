"""Synthetic people: determinism, labels that fit the picture, mirror images of the same kind, files."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from posekit.data.articulation import Articulation
from posekit.data.check import check
from posekit.data.figures import figures
from posekit.data.painting import People, hidden, paint, point_colours
from posekit.data.readers import read
from posekit.data.synthetic import Synthetic
from posekit.geometry.skeleton import Skeleton, infer_skeleton
from posekit.skeletons import SKELETONS


def skeleton(name, points, bones=()):
    return infer_skeleton(name, points, bones=bones)[0]


SIDES = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = skeleton(
    "person", ("neck", "head_top", *(f"{s}_{p}" for p in SIDES for s in ("left", "right"))), [("neck", "head_top")]
)
FACE = skeleton("face", ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"))
WORM = skeleton("worm", [f"p{i}" for i in range(6)], [(f"p{i}", f"p{i + 1}") for i in range(5)])
TOOL = skeleton("tool", ("tip", "left_grip", "right_grip", "end"), [("tip", "left_grip"), ("left_grip", "end")])
CLOUD = skeleton("cloud", [f"{s}_{i}" for i in range(9) for s in ("left", "right")])
ALL = {s.name: s for s in (BODY, FACE, WORM, TOOL, CLOUD)}


@pytest.mark.parametrize("name", ALL)
def test_an_image_follows_from_seed_and_index_alone(name):
    few = Synthetic(ALL[name], count=2, size=(48, 64), seed=7)
    many = Synthetic(ALL[name], count=5, size=(48, 64), seed=7)
    np.testing.assert_array_equal(few.image(1), many.image(1))
    np.testing.assert_array_equal(few.dataset().xy[:2], many.dataset().xy[:2])
    assert (few.image(1) != Synthetic(ALL[name], count=2, size=(48, 64), seed=8).image(1)).any()


@pytest.mark.parametrize("name", ALL)
def test_sets_are_sound(name):
    dataset = Synthetic(ALL[name], count=40, size=(64, 48), people=3, seed=1).dataset()
    assert [f for f in check(dataset) if f.severity == "error"] == []
    counts = np.bincount(dataset.image, minlength=40)
    assert (counts.min(), counts.max()) == (1, 3)
    assert dataset.depth.shape == dataset.visibility.shape
    assert figures(dataset).images == 40
    inside = ((dataset.xy >= 0) & (dataset.xy <= (48, 64))).all(-1)
    np.testing.assert_array_equal(dataset.visibility > 0, inside)


@pytest.mark.parametrize(
    ("name", "number"), [("person", 1), ("worm", 1), ("tool", 1), ("face", 1), ("person", 4), ("worm", 4)]
)
def test_a_seen_point_lies_on_its_own_colour(name, number):
    drawn = Synthetic(ALL[name], count=30, size=(96, 112), seed=2, outside=0, people=number)
    dataset = drawn.dataset()
    colours = np.array(point_colours(drawn.body, np.random.default_rng(0)), np.float32)
    hits = []
    for i in range(30):
        scene = dataset.scene(i)
        image, points = scene.image, scene.instances.keypoints
        seen = points.visibility == 2
        x, y = points.xy[seen].astype(int).T
        found = cv2.cvtColor(image[np.minimum(y, 95), np.minimum(x, 111)][None], cv2.COLOR_RGB2HSV)[0]
        wanted = cv2.cvtColor(colours[None].astype(np.uint8), cv2.COLOR_RGB2HSV)[0][np.nonzero(seen)[1]]
        apart = np.abs(found[:, 0].astype(int) - wanted[:, 0])
        hits.append(np.minimum(apart, 180 - apart) < 12)
    # Blur, and a disc on the next pixel, take a few.
    assert np.concatenate(hits).mean() > 0.9


@pytest.mark.parametrize("name", ["person", "face", "cloud", "tool"])
def test_mirror_points_look_alike_and_hang_alike(name):
    body, flip = Articulation.of(ALL[name]), np.array(ALL[name].flip)
    np.testing.assert_array_equal(body.group, body.group[flip])
    mirrored = np.append(flip, len(flip))
    np.testing.assert_array_equal(mirrored[body.parent[flip]], body.parent)
    np.testing.assert_allclose(body.rest[flip] * (-1, 1), body.rest, atol=1e-9)
    np.testing.assert_array_equal(body.bend[flip], body.bend)
    bones = {tuple(sorted(e)) for e in flip[body.bones].tolist()}
    assert bones == {tuple(e) for e in body.bones.tolist()}


def test_left_is_right_in_the_image_and_turns_round_from_behind():
    left, right = BODY.index(["left_shoulder", "right_shoulder"])
    front = Synthetic(BODY, count=50, seed=1).dataset()
    assert (front.xy[:, left, 0] > front.xy[:, right, 0]).all()
    back = Synthetic(BODY, count=50, seed=1, behind=1.0).dataset()
    assert (back.xy[:, left, 0] < back.xy[:, right, 0]).all()
    assert np.mean([back.images[i].read().mean() < front.images[i].read().mean() for i in range(20)]) > 0.9


def test_a_point_behind_a_limb_is_hidden():
    body = Articulation.of(skeleton("cross", ("a", "b", "c"), [("a", "b")]))
    xy = np.array([[[10.0, 20], [50, 20], [30, 21]]] * 2)
    depth = np.array([[0.0, 0, 9], [0, 0, -9]])
    posed = People(xy, depth, bone=np.array([4.0, 4.0]), behind=np.zeros(2, bool))
    assert hidden(posed, body).tolist() == [[False, False, True], [False, False, False]]


def test_a_wrist_behind_the_backbone_is_hidden():
    body = Articulation.of(BODY)
    xy, depth = body.pose(np.full((1, 3, len(BODY.points)), 0.5))
    wrist, middle = BODY.index(["left_wrist"])[0], xy[:, list(body.torso)].mean(1)
    xy[:, wrist] = middle
    depth[:, wrist] = 1.0
    posed = People(xy * 50, depth * 50, bone=np.array([3.0]), behind=np.zeros(1, bool))
    assert hidden(posed, body)[0, wrist]
    assert not hidden(People(xy * 50, -depth * 50, posed.bone, posed.behind), body)[0, wrist]


def test_some_reach_over_the_edge_unless_told_otherwise():
    assert (Synthetic(BODY, count=60, seed=1).dataset().visibility == 0).any()
    assert (Synthetic(BODY, count=60, seed=1, outside=0).dataset().visibility > 0).all()


def test_files_say_the_same_as_the_set(tmp_path):
    drawn = Synthetic(TOOL, count=4, size=(48, 64), seed=3)
    again, dataset = read(drawn.to_files(tmp_path)), drawn.dataset()
    np.testing.assert_allclose(again.xy, dataset.xy, atol=1e-6)
    np.testing.assert_array_equal(again.visibility, dataset.visibility)
    np.testing.assert_array_equal(again.instance(2).image, dataset.instance(2).image)
    assert again.skeleton == TOOL


def test_a_drawn_set_pickles():
    dataset = Synthetic(WORM, count=3, size=(48, 64)).dataset()
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.instance(1).image, dataset.instance(1).image)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"size": (8, 64)}, {"people": 0}])
def test_sets_of_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1 image, 1 person and 16x16 pixels; got"):
        Synthetic(WORM, **({"count": 2} | wrong))


@pytest.mark.parametrize("name", ["face68", "wflw98"])
def test_dense_faces_look_like_faces(name):
    face = SKELETONS[name]
    dataset = Synthetic(face, count=20, size=(128, 128), seed=1, outside=0).dataset()
    chin, tip, eye = face.index(["chin", "nose_tip", "left_eye_outer"])
    y = dataset.xy[..., 1]
    assert ((y[:, eye] < y[:, tip]) & (y[:, tip] < y[:, chin])).all()
    assert (dataset.visibility == 2).mean() > 0.6


def test_one_point_makes_a_figure():
    dataset = Synthetic(Skeleton(name="dot", points=("dot",)), count=5, size=(32, 48), outside=0).dataset()
    assert len(dataset) == 5
    assert (dataset.boxes[:, 2:] - dataset.boxes[:, :2]).min() > 1


@pytest.mark.parametrize("name", ["person", "face"])
def test_the_mask_covers_the_people_and_nothing_else(name):
    made = Synthetic(ALL[name], count=3, size=(64, 80), people=2, seed=4, outside=0.0)
    k = len(ALL[name].points)
    nobody = People(np.zeros((0, k, 2)), np.zeros((0, k)), np.zeros(0), np.zeros(0, bool))
    for number in range(3):
        mask, picture = made.mask(number), made.image(number)
        background = paint(nobody, made.body, (64, 80), np.random.default_rng([4, number, 1]))
        changed = np.abs(picture.astype(int) - background).max(-1) > 40
        # Noise and blurred edges of the background differ everywhere.
        around, within = (f(mask.astype(np.uint8), np.ones((5, 5))) > 0 for f in (cv2.dilate, cv2.erode))
        assert mask.shape == (64, 80) and changed[~around].mean() < 0.05 and changed[within].mean() > 0.8
