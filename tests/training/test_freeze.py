"""Parts that training leaves alone."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from posekit.recipe import RecipeError
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.freeze import frozen_parts
from posekit.training.task import Task


def task_with(*names):
    recipe = RECIPES["topdown-regression-tiny"](SKELETONS["face5"], size=(64, 64))
    recipe = replace(recipe, train=replace(recipe.train, freeze=names))
    return Task(recipe, recipe.build())


def test_frozen_parts_have_no_gradient_and_their_norms_stay():
    task = task_with("backbone.conv1", "backbone.bn1", "backbone.layer1")
    task.train()
    before = {name: value.clone() for name, value in task.net.state_dict().items()}
    out = task.net(torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8))
    out["coords"].square().sum().backward()
    for name, parameter in task.net.named_parameters():
        frozen = name.startswith(("backbone.conv1", "backbone.bn1", "backbone.layer1"))
        assert (parameter.grad is None) == frozen, name
    after = task.net.state_dict()
    assert torch.equal(after["backbone.bn1.running_mean"], before["backbone.bn1.running_mean"])
    assert torch.equal(after["backbone.layer1.0.bn1.running_var"], before["backbone.layer1.0.bn1.running_var"])
    assert not torch.equal(after["backbone.layer2.0.bn1.running_var"], before["backbone.layer2.0.bn1.running_var"])


def test_an_unknown_part_is_answered_with_the_nearest():
    with pytest.raises(RecipeError, match=r"no part 'backbone.layr1'; there is .*backbone.layer1"):
        task_with("backbone.layr1")


def test_something_must_be_left_to_train():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(RecipeError, match="nothing is left to train"):
        frozen_parts(net, ["0", "1"])
    assert [type(part) for part in frozen_parts(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(1, 1)), ["0"])] == [
        nn.Linear
    ]
