"""Every recipe goes downhill from its first steps, and every representation learns samples until it overfits."""

import re
from dataclasses import replace

import pytest
import torch
from figures import FOUR

import posekit.training.overfit
from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.models.backbones.resnet import ResNet
from posekit.recipes import RECIPES
from posekit.recipes.representations import REPRESENTATIONS
from posekit.training.engine import optimizer_for
from posekit.training.overfit import overfit
from posekit.training.task import Task

TINY = [name for name in RECIPES if name.endswith("-tiny")]
STEPS = 3


def first_losses(name):
    """Sums of the terms before each of some steps on one batch, and after the last."""
    recipe = RECIPES[name](FOUR, size=(64, 64))
    dataset = Synthetic(FOUR, count=6, size=(64, 64), seed=1).dataset()
    batch = collate([recipe.augment.still(dataset.instance(i), size=recipe.size) for i in range(6)])
    torch.manual_seed(0)
    task = Task(recipe, recipe.build()).train()
    optimizer = optimizer_for(task, replace(recipe.train, lr=1e-3))
    losses = []
    for _ in range(STEPS + 1):
        terms = task(batch)
        loss = torch.stack(list(terms.values())).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return terms, losses


@pytest.mark.parametrize("name", TINY)
def test_the_first_steps_go_downhill(name):
    terms, losses = first_losses(name)
    assert torch.tensor(losses).isfinite().all()
    assert losses[-1] < losses[0]
    assert {term.partition(".")[0] for term in terms} == set(RECIPES[name](FOUR).losses)
    assert all(term.ndim == 0 for term in terms.values())


def test_the_first_losses_follow_from_the_seed():
    assert first_losses("topdown-dark-tiny")[1] == first_losses("topdown-dark-tiny")[1]


# Decoded at whole cells or nearly: at stride 4 even a perfect answer is 1.6 pixels off.
ROUGH = ("heatmap", "ttfnet", "megvii")
ROUNDS = {"simcc3d": 8}
"""Of 50 steps each; its three axes are learnt together. All others take 4."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", REPRESENTATIONS)
def test_it_learns(kind, fresh_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(posekit.training.overfit, "ROUNDS", ROUNDS.get(kind, 4))
    recipe = RECIPES[f"topdown-{kind}-tiny".replace("_", "-")](FOUR, size=(64, 64), stride=2 if kind in ROUGH else None)
    recipe = replace(recipe, model=replace(recipe.model, backbone=ResNet(depth=18, width=0.25)))
    if getattr(recipe.codec, "depth", None):
        # Drawn depths are pixels.
        recipe = replace(recipe, codec=replace(recipe.codec, depth=64.0))
    dataset = Synthetic(FOUR, count=32, size=(64, 64), seed=1).dataset()
    said = []
    assert overfit(recipe, tmp_path, dataset, 32, "cpu", said.append) == 0, said
    before, after = (float(word) for word in re.findall(r"([0-9.]+) (?:->|px in)", said[-1]))
    assert after <= 1.5, said[-1]
    assert after <= before / 5, said[-1]
