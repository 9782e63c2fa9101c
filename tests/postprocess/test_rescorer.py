"""Input features of a scoring network: independent of the location and size of the pose."""

import numpy as np
import pytest
from figures import FOUR
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.postprocess.rescorer import COCO_BONES, CROWDPOSE_BONES, PoseShape, rescore_by_shape
from posekit.skeletons import SKELETONS

COCO, CROWD = SKELETONS["coco17"], SKELETONS["crowdpose14"]


def drawn(points, seed=0, size=200.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, size, (3, points, 2)), rng.uniform(0, 1, (3, points))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        (PoseShape.published("coco"), 74),
        (PoseShape.published("crowdpose"), 59),
        (PoseShape.of(COCO), 74),
        (PoseShape.of(CROWD), 59),
        (PoseShape.of(FOUR), 13),
    ],
)
def test_sizes(shape, size):
    xy, score = drawn(shape.points)
    assert shape.features(xy, score).shape == (3, size) == (3, shape.size)


def test_an_image_without_a_pose_has_no_features():
    shape = PoseShape.of(FOUR)
    assert shape.features(np.zeros((0, 4, 2)), np.zeros((0, 4))).shape == (0, 13)
    none = Poses(np.zeros((0, 4, 2)), np.zeros((0, 4)), np.zeros(0))
    assert len(rescore_by_shape(none, shape, lambda features: features[:, 0])) == 0


def test_published_bones_are_those_of_the_skeletons():
    for skeleton, bones in ((COCO, COCO_BONES), (CROWD, CROWDPOSE_BONES)):
        assert {frozenset(bone) for bone in bones} == {frozenset(bone) for bone in skeleton.edges}
        assert len(bones) == len(skeleton.edges)


@pytest.mark.parametrize(
    ("shape", "bones"),
    [
        (PoseShape.published("coco"), {("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")}),
        (PoseShape.published("crowdpose"), {("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")}),
        (PoseShape.published("crowdpose", compat=True), {("left_hip", "left_knee"), ("left_knee", "left_ankle")}),
        (PoseShape.of(COCO), {("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")}),
        (PoseShape.of(CROWD), {("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")}),
    ],
)
def test_the_unit_is_the_torso(shape, bones):
    names = (COCO if shape.points == 17 else CROWD).points
    assert {tuple(names[point] for point in shape.bones[bone]) for bone in shape.unit} == bones


def test_a_skeleton_without_a_torso_takes_all_bones():
    assert PoseShape.of(FOUR).unit == (0, 1, 2)


@pytest.mark.parametrize("shape", [PoseShape.published("coco"), PoseShape.of(FOUR)], ids=["coco", "four"])
@given(st.floats(0.5, 20), st.floats(-500, 500), st.floats(-500, 500), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_neither_place_nor_size_matters(shape, scale, x, y, seed):
    xy, score = drawn(shape.points, seed)
    moved = xy * scale + np.array([x, y])
    np.testing.assert_allclose(shape.features(moved, score), shape.features(xy, score), atol=1e-3)


def test_features_by_hand():
    """Bones tip-left grip, tip-right grip, left grip-end of lengths 5, 10 and 3; the unit is 6."""
    xy = np.array([(0.0, 0.0), (3.0, 4.0), (-8.0, 6.0), (3.0, 1.0)])
    found = PoseShape.of(FOUR).features(xy, np.array([0.1, 0.2, 0.3, 0.4]))
    along = [-3, -4, 8, -6, 0, 3]
    np.testing.assert_allclose(found, [*(v / 6 for v in (*along, 5, 10, 3)), 0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    assert found.dtype == np.float32


def test_the_unit_is_at_least_a_pixel():
    xy, score = drawn(4, size=1e-3)
    np.testing.assert_allclose(PoseShape.of(FOUR).features(xy, score)[:, :2], xy[:, 0] - xy[:, 1], rtol=1e-5)
    assert np.isfinite(PoseShape.of(FOUR).features(np.zeros((4, 2)), np.zeros(4))).all()


def test_scores_are_multiplied_by_what_the_network_says():
    xy, score = drawn(4)
    poses = Poses(xy=xy, score=score, instance_score=np.ones(3))
    quality = np.array([0.5, np.nan, 1.5])
    ranked = rescore_by_shape(poses, PoseShape.of(FOUR), lambda features: quality[: len(features)])
    np.testing.assert_allclose(ranked.instance_score, score.mean(1) * [0.5, 0, 1])
    assert ranked.xy is poses.xy


def test_images_of_a_batch_are_scored_together():
    xy, score = (np.stack([array, array[::-1]]) for array in drawn(4))
    poses = Poses(xy=xy, score=score, instance_score=np.ones((2, 3)))
    ranked = rescore_by_shape(poses, PoseShape.of(FOUR), lambda features: features[:, 0].clip(0, 1))
    np.testing.assert_allclose(ranked.instance_score[0], ranked.instance_score[1, ::-1])
    assert (ranked.instance_score > 0).any()


def test_what_does_not_fit_is_refused():
    xy, score = drawn(5)
    with pytest.raises(ValueError, match=r"expected xy \(..., 4, 2\) and score \(..., 4\); got \(3, 5, 2\)"):
        PoseShape.of(FOUR).features(xy, score)
    with pytest.raises(ValueError, match="skeleton 'bare' has no bones"):
        PoseShape.of(Skeleton(name="bare", points=("a", "b")))
    with pytest.raises(ValueError, match=r"some of the 1 bones; got \(1,\)"):
        PoseShape(2, ((0, 1),), (1,))
