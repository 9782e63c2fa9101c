"""`Keypoints`, `Instances` and `Poses`: shapes are checked, flips are exact, the framework of arrays is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sizes import B, K, N

from posekit.geometry.keypoints import EMPTY, IGNORE, INSTANCE, Instances, Keypoints, Poses
from posekit.geometry.skeleton import Skeleton

SKELETON = Skeleton(
    name="five", points=("nose", "left_eye", "right_eye", "left_ear", "right_ear"), mirror=(("left_eye", "right_eye"),)
)
kinds = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 50, shape)


def keypoints(kind, depth=True):
    return Keypoints(
        xy=kind(numbers(B, N, K, 2)),
        visibility=kind(np.random.default_rng(1).integers(0, 3, (B, N, K))),
        depth=kind(numbers(B, N, K, seed=2)) if depth else None,
        depth_known=kind(numbers(B, N, K, seed=3) > 25) if depth else None,
    )


def instances(kind):
    return Instances(
        keypoints=keypoints(kind),
        boxes=kind(numbers(B, N, 4)),
        area=kind(numbers(B, N)),
        category=kind(np.zeros((B, N), int)),
        role=kind(np.full((B, N), INSTANCE)),
    )


@kinds
def test_hidden_and_seen_points_are_labelled(kind):
    points = Keypoints(xy=kind(np.zeros((3, 2))), visibility=kind(np.array([0, 1, 2])))
    assert points.labelled.tolist() == [False, True, True]


@kinds
@pytest.mark.parametrize("depth", [False, True])
def test_flip_mirrors_x_and_trades_mirror_points(kind, depth):
    points = keypoints(kind, depth)
    flipped = points.flipped(60, SKELETON)
    order = [0, 2, 1, 3, 4]
    assert type(flipped.xy) is type(points.xy)
    assert flipped.xy.dtype == points.xy.dtype
    np.testing.assert_allclose(flipped.xy[..., 0], 60 - np.asarray(points.xy)[..., order, 0])
    np.testing.assert_allclose(flipped.xy[..., 1], np.asarray(points.xy)[..., order, 1])
    np.testing.assert_array_equal(flipped.visibility, np.asarray(points.visibility)[..., order])
    if depth:
        np.testing.assert_array_equal(flipped.depth, np.asarray(points.depth)[..., order])
        np.testing.assert_array_equal(flipped.depth_known, np.asarray(points.depth_known)[..., order])
    else:
        assert flipped.depth is None
        assert flipped.depth_known is None


@kinds
def test_flipping_twice_changes_nothing(kind):
    points = keypoints(kind)
    again = points.flipped(60, SKELETON).flipped(60, SKELETON)
    for field in dataclasses.fields(points):
        np.testing.assert_allclose(getattr(again, field.name), getattr(points, field.name))


def test_a_skeleton_that_knows_no_mirror_refuses():
    blind = Skeleton(name="screws", points=SKELETON.points, symmetry="none")
    with pytest.raises(ValueError, match="skeleton 'screws' has symmetry 'none'"):
        keypoints(np.asarray).flipped(60, blind)


def test_positional_points_flip_as_well():
    corners = Skeleton(name="tag", points=SKELETON.points, mirror=SKELETON.mirror, symmetry="positional")
    points = keypoints(np.asarray)
    np.testing.assert_array_equal(points.flipped(60, corners).xy, points.flipped(60, SKELETON).xy)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"keypoints need xy .* got \(2, 3, 5, 2\) and \(2, 3\)"):
        Keypoints(xy=numbers(B, N, K, 2), visibility=np.zeros((B, N)))
    with pytest.raises(ValueError, match=r"got \(2, 3, 5\) and \(2, 3\)"):
        Keypoints(xy=numbers(B, N, K), visibility=np.zeros((B, N)))


def test_values_are_frozen_and_not_compared():
    points = keypoints(np.asarray)
    with pytest.raises(dataclasses.FrozenInstanceError):
        points.xy = points.xy
    assert points != keypoints(np.asarray)
    assert not hasattr(points, "__dict__")


@kinds
def test_each_reaches_every_array(kind):
    value = instances(kind)
    first = value.each(lambda a: a[0])
    assert isinstance(first, Instances)
    assert isinstance(first.keypoints, Keypoints)
    assert first.keypoints.xy.shape == (N, K, 2)
    assert first.keypoints.depth.shape == (N, K)
    for name in ("area", "category", "role"):
        assert getattr(first, name).shape == (N,)
    np.testing.assert_array_equal(first.boxes, np.asarray(value.boxes)[0])


def test_each_leaves_nothing_alone():
    value = dataclasses.replace(instances(np.asarray), keypoints=keypoints(np.asarray, depth=False))
    assert value.each(torch.as_tensor).keypoints.depth is None
    assert isinstance(value.each(torch.as_tensor).keypoints.visibility, torch.Tensor)


def test_roles_are_told_apart():
    assert len({EMPTY, INSTANCE, IGNORE}) == 3


def poses(kind, *lead):
    return Poses(
        xy=kind(numbers(*lead, N, K, 2)),
        score=kind(numbers(*lead, N, K) / 50),
        instance_score=kind(np.broadcast_to(np.array([0.2, 0.9, 0.6]), (*lead, N)).copy()),
        ids=kind(np.broadcast_to(np.arange(N), (*lead, N)).copy()),
    )


@kinds
def test_above_keeps_the_sure_ones_as_they_are(kind):
    all_of_them = poses(kind)
    kept = all_of_them.above(0.6)
    assert len(all_of_them) == N
    assert len(kept) == 1
    np.testing.assert_array_equal(kept.xy, np.asarray(all_of_them.xy)[[1]])
    np.testing.assert_array_equal(kept.score, np.asarray(all_of_them.score)[[1]])
    assert np.asarray(kept.ids).tolist() == [1]
    assert kept.boxes is None
    assert len(all_of_them.above(2)) == 0


def test_a_matrix_moves_points_boxes_and_spreads():
    # A quarter turn, twice as wide and eight times as high: areas grow 16 times, lengths 4 times on average.
    matrix = np.array([[0.0, -2.0, 100.0], [8.0, 0.0, 10.0], [0.0, 0.0, 1.0]])
    one = Poses(
        xy=np.array([[[1.0, 2.0], [3.0, 5.0]]]),
        score=np.ones((1, 2)),
        instance_score=np.ones(1),
        boxes=np.array([[1.0, 2.0, 3.0, 5.0]]),
        spread=np.array([[[1.0, 2.0], [3.0, 0.5]]]),
    )
    moved = one.transformed(matrix)
    np.testing.assert_allclose(moved.xy, [[[96, 18], [90, 34]]])
    np.testing.assert_allclose(moved.boxes, [[90, 18, 96, 34]])
    np.testing.assert_allclose(moved.spread, 4 * one.spread)
    eighth = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(one.transformed(eighth).boxes, [[-4, 3, 1, 8]])


@kinds
def test_a_batch_of_poses_counts_images_and_names_points(kind):
    batch = poses(kind, B)
    assert len(batch) == B
    assert [len(image) for image in batch] == [N] * B
    np.testing.assert_array_equal(batch.points_of(SKELETON, "right_eye"), np.asarray(batch.xy)[..., 2, :])
    with pytest.raises(ValueError, match=r"has no points \['tail'\]"):
        batch.points_of(SKELETON, "tail")
    assert batch.each(lambda a: a[0]).xy.shape == (N, K, 2)
