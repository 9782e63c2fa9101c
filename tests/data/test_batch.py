"""Stacking samples: padding, roles, types, and messages."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from sizes import H, K, W

from posekit.data.batch import Batch, collate
from posekit.data.sample import Sample
from posekit.geometry.keypoints import EMPTY, IGNORE, INSTANCE, Instances, Keypoints


def sample(n: int, index: int, depth: bool = False) -> Sample:
    rng = np.random.default_rng(index)
    return Sample(
        image=rng.integers(0, 255, (H, W, 3), np.uint8),
        instances=Instances(
            keypoints=Keypoints(
                xy=rng.random((n, K, 2), np.float32),
                visibility=np.full((n, K), 2, np.int8),
                depth=rng.random((n, K), np.float32) if depth else None,
            ),
            boxes=rng.random((n, 4), np.float32),
            area=rng.random(n, np.float32),
            category=np.zeros(n, np.int64),
            role=np.full(n, INSTANCE, np.int8),
        ),
        path="a.png",
        image_id=100 + index,
        to_source=np.eye(3) * (index + 1),
        ignore=np.zeros((0, 4), np.float32),
        index=index,
    )


def test_instances_are_padded_with_empty_slots():
    samples = [sample(3, 0), sample(2, 5)]
    batch = collate(samples)
    assert batch.image.shape == (2, 3, H, W)
    assert batch.image.dtype == torch.uint8
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(batch.image[1].numpy().transpose(1, 2, 0), samples[1].image)
    assert batch.instances.keypoints.xy.shape == (2, 3, K, 2)
    assert batch.instances.role.tolist() == [[INSTANCE] * 3, [INSTANCE, INSTANCE, EMPTY]]
    assert batch.instances.keypoints.visibility[1, 2].sum() == 0
    np.testing.assert_array_equal(batch.instances.boxes[1, :2].numpy(), samples[1].instances.boxes)
    assert (batch.image_id.tolist(), batch.index.tolist()) == ([100, 105], [0, 5])
    assert batch.to_source[:, 0, 0].tolist() == [1, 6]
    assert len(batch) == 2


def test_images_without_instances_get_one_empty_slot():
    batch = collate([sample(0, 0), sample(0, 1)])
    assert batch.instances.role.tolist() == [[EMPTY], [EMPTY]]
    assert batch.instances.keypoints.xy.shape == (2, 1, K, 2)


def test_regions_to_ignore_become_slots_behind_the_instances():
    regions = np.array([[1, 2, 4, 8], [0, 0, 5, 5]], np.float32)
    crowded = dataclasses.replace(sample(1, 0, depth=True), ignore=regions)
    instances = collate([crowded, sample(2, 1)]).instances
    assert instances.role.tolist() == [[INSTANCE, IGNORE, IGNORE], [INSTANCE, INSTANCE, EMPTY]]
    assert instances.boxes[0, 1:].tolist() == regions.tolist()
    assert instances.area[0, 1:].tolist() == [18, 25]
    assert instances.keypoints.visibility[0].sum(-1).tolist() == [2 * K, 0, 0]
    assert instances.keypoints.depth_known[0].all(-1).tolist() == [True, False, False]
    np.testing.assert_array_equal(instances.boxes[0, 0].numpy(), crowded.instances.boxes[0])
    assert len(crowded.instances.role) == 1


def test_a_scene_of_nobody_still_says_what_to_ignore():
    empty = dataclasses.replace(sample(0, 0), ignore=np.array([[1, 2, 4, 8]], np.float32))
    assert collate([empty]).instances.role.tolist() == [[IGNORE]]


def test_unknown_depths_are_marked():
    batch = collate([sample(2, 0, depth=True), sample(3, 1)])
    assert batch.instances.keypoints.depth_known.any(-1).tolist() == [[True, True, False], [False] * 3]
    assert collate([sample(2, 0)]).instances.keypoints.depth is None


def test_a_given_mark_of_depths_is_kept():
    one = sample(2, 0, depth=True)
    mark = np.arange(2 * K).reshape(2, K) % 2 == 0
    points = dataclasses.replace(one.instances.keypoints, depth_known=mark)
    one = dataclasses.replace(one, instances=dataclasses.replace(one.instances, keypoints=points))
    np.testing.assert_array_equal(collate([one]).instances.keypoints.depth_known[0].numpy(), mark)


def test_a_batch_moves_and_pickles():
    batch = collate([sample(3, 0), sample(2, 5)])
    moved = batch.to("meta", non_blocking=True)
    assert isinstance(moved, Batch)
    assert moved.instances.keypoints.xy.device.type == "meta"
    assert torch.equal(pickle.loads(pickle.dumps(batch)).image, batch.image)


def test_accelerate_moves_a_batch():
    from accelerate.utils import send_to_device

    moved = send_to_device(collate([sample(3, 0), sample(2, 5)]), torch.device("meta"))
    assert moved.image.device.type == moved.instances.keypoints.xy.device.type == "meta"


def test_sizes_must_agree():
    other = dataclasses.replace(sample(2, 1), image=np.zeros((W, H, 3), np.uint8))
    with pytest.raises(ValueError, match="images of one size; got 12x16, 16x12: crop or resize"):
        collate([sample(2, 0), other])


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        collate([])
