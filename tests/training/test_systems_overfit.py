"""A system for full images learns 32 drawn scenes until it overfits: points, boxes and who is who."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from stand_ins import predictor_of

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import measure
from posekit.geometry.skeleton import Skeleton
from posekit.recipes import RECIPES, SYSTEMS
from posekit.training.task import Task

STAR = Skeleton(
    name="star",
    points=("top", "left_arm", "right_arm", "left_leg", "right_leg"),
    mirror=(("left_arm", "right_arm"), ("left_leg", "right_leg")),
    bones=(("top", "left_arm"), ("top", "right_arm"), ("top", "left_leg"), ("top", "right_leg")),
)
"""Its points have no OKS sigmas of their own: 0.05 for all."""
SIZE, SCENES, BATCH, WARM, RATE = (96, 96), 32, 8, 20, 2e-3
ENOUGH = 0.9
STEPS = {
    "centernet": 500,
    "ttfnet": 1000,
    "dekr": 600,
    "dekr-first": 600,
    "fcos": 600,
    "directpose": 600,
    "fcpose": 500,
    "movenet": 600,
}
"""How long each is trained."""


@pytest.fixture(scope="module")
def drawn():
    """Up to three figures an image, drawn once."""
    dataset = Synthetic(STAR, SCENES, SIZE, seed=3, people=3, outside=0.0).dataset()
    kept = [record.read() for record in dataset.images]
    images = tuple(replace(record, load=partial(kept.__getitem__, i)) for i, record in enumerate(dataset.images))
    return replace(dataset, images=images)


def test_every_system_is_asked():
    assert set(STEPS) == set(SYSTEMS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), STEPS.items())
def test_it_overfits_a_few_scenes(name, steps, drawn):
    torch.manual_seed(0)
    recipe = RECIPES[f"{name}-tiny"](STAR, size=SIZE)
    task = Task(recipe, recipe.build()).train()
    scenes = [recipe.augment.still_scene(drawn.scene(i), size=recipe.size) for i in range(SCENES)]
    optimizer = torch.optim.Adam(task.parameters(), lr=RATE)
    order = np.concatenate([np.random.default_rng(i).permutation(SCENES) for i in range(steps * BATCH // SCENES)])
    for step, part in enumerate(np.split(order, steps)):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM) * 0.5 * (1 + np.cos(np.pi * step / steps))
        loss = torch.stack(list(task(collate([scenes[i] for i in part])).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 5.0)
        optimizer.step()
    assert measure(predictor_of(task.net, recipe), drawn).figures["AP"] >= ENOUGH
