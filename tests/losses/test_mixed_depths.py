"""Samples without a depth improve a network that predicts depths: they train the locations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.models.backbones.resnet import ResNet
from posekit.recipes import RECIPES
from posekit.training.engine import optimizer_for
from posekit.training.task import Task

COUNT, SHOWN, STEPS, BATCH = 400, 200, 500, 16


def samples(recipe, seed, count):
    dataset = Synthetic(FOUR, count=count, size=(64, 64), seed=seed).dataset()
    return [recipe.augment.still(dataset.instance(i), size=recipe.size) for i in range(count)]


def flat(sample):
    """The sample without its depths."""
    points = replace(sample.instances.keypoints, depth=None, depth_known=None)
    return replace(sample, instances=replace(sample.instances, keypoints=points))


def errors(recipe, train, test):
    """Mean error of locations in pixels and of depths after a short training."""
    torch.manual_seed(0)
    task = Task(recipe, recipe.build()).train()
    optimizer = optimizer_for(task, replace(recipe.train, lr=2e-3))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        batch = collate([train[i] for i in draw.integers(len(train), size=BATCH)])
        loss = torch.stack(list(task(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 5.0)
        optimizer.step()
        falling.step()
    task.eval()
    batch = collate(test)
    with torch.no_grad():
        poses = recipe.codec.decode(task.net(batch.image))
    known = batch.instances.keypoints.labelled
    place = torch.linalg.vector_norm(poses.xy - batch.instances.keypoints.xy, dim=-1)[known].mean()
    depth = (poses.depth - batch.instances.keypoints.depth).abs()[known].mean()
    return float(place), float(depth)


@pytest.mark.slow
def test_half_a_batch_without_depth_beats_leaving_it_out():
    recipe = RECIPES["topdown-rle3d-tiny"](FOUR, size=(64, 64))
    recipe = replace(
        recipe,
        model=replace(recipe.model, backbone=ResNet(depth=18, width=0.25)),
        codec=replace(recipe.codec, depth=64.0),
    )
    whole, test = samples(recipe, 1, COUNT), samples(recipe, 2, 200)
    mixed = [sample if i < SHOWN else flat(sample) for i, sample in enumerate(whole)]
    place, depth = errors(recipe, mixed, test)
    half_place, half_depth = errors(recipe, whole[:SHOWN], test)
    assert place < half_place, (place, half_place)
    assert depth < 1.05 * half_depth, (depth, half_depth)
