"""Losses with a memory or learned weights in a task: trained, spared by weight decay, and resumed."""

from dataclasses import replace

from posekit.losses.bones import Bone
from posekit.losses.points import L1
from posekit.losses.weighting import AutoWeight
from posekit.recipe import dump, parse
from posekit.training.engine import optimizer_for
from posekit.training.loop import Loop
from posekit.training.task import Task


def weighed(recipe, kind="liebel_koerner"):
    return replace(recipe, losses={"l1": L1(), "bone": Bone()}, auto_weight=AutoWeight(kind=kind))


def silent(_):
    """Say nothing."""


def learned(loop):
    return {name: p.item() for name, p in loop.task.named_parameters() if name.startswith("auto_weight")}


def test_weights_are_trained_and_recorded(small, drawn, tmp_path):
    loop = Loop(weighed(small(epochs=2)), tmp_path, drawn, drawn, device="cpu", say=silent)
    loop.train()
    assert set(learned(loop)) == {"auto_weight.log_squares.l1", "auto_weight.log_squares.bone"}
    # Errors of many pixels are uncertain: both weights fall, that is c^2 grows.
    assert all(value > 0 for value in learned(loop).values())
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"loss/l1", "loss/bone", "loss/auto_weight.l1", "loss/auto_weight.bone"} <= set(header)


def test_weights_are_spared_by_weight_decay(small):
    recipe = weighed(small(weight_decay=0.1))
    task = Task(recipe, recipe.build())
    spared = {
        id(p)
        for group in optimizer_for(task, recipe.train).param_groups
        if not group["weight_decay"]
        for p in group["params"]
    }
    assert {id(p) for p in task.auto_weight.parameters()} <= spared


def test_weights_are_resumed(small, drawn, tmp_path):
    first = Loop(weighed(small()), tmp_path, drawn, drawn, device="cpu", say=silent)
    first.train()
    second = Loop(weighed(small()), tmp_path, drawn, drawn, device="cpu", say=silent)
    assert set(learned(second).values()) == {0.0}
    assert second.resume()
    assert learned(second) == learned(first)


def test_without_them_a_task_is_what_it_was(small):
    recipe = small()
    task = Task(recipe, recipe.build())
    assert not [name for name in task.state_dict() if name.startswith("auto_weight")]


def test_a_recipe_keeps_the_kind_and_an_older_one_has_none(small):
    recipe = weighed(small(), "kendall")
    assert parse(dump(recipe), "here") == recipe
    text = dump(small())
    older = text.replace('"auto_weight": {\n    "kind": "none"\n  },\n  ', "")
    assert older != text
    assert parse(older, "here") == small()
