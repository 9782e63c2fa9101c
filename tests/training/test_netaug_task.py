"""Tasks with wider networks around their backbone: in the end a plain network whose figures are its own."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.losses.equalized import Efl
from posekit.losses.weighting import AutoWeight
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.rewrite.netaug import NetAug
from posekit.recipe import RecipeError
from posekit.recipes import RECIPES
from posekit.training.averaging import averaged
from posekit.training.loader import Crops, FullImages
from posekit.training.loop import optimizer_for
from posekit.training.netaug import NetAugTask, wrap
from posekit.training.task import Task

TINY = ResNet(18, 0.125)
WIDER = NetAug(expansions=(1.0, 1.5), widths=(1.0, 1.5))


def recipe_of(kind="regression", backbone=TINY, **options):
    recipe = RECIPES[f"topdown-{kind}-tiny"](FOUR, size=(64, 32))
    recipe = replace(recipe, model=replace(recipe.model, backbone=backbone))
    return replace(recipe, train=replace(recipe.train, **options))


def batch_of(recipe, count=6, index=0):
    crops = Crops(Synthetic(FOUR, count=count, size=(64, 56), seed=4).dataset(), recipe)
    return collate([crops[index, place] for place in range(count)])


def task_of(recipe, seed=0):
    torch.manual_seed(seed)
    return Task(recipe, recipe.build()).train()


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def total(terms):
    return torch.stack(list(terms.values())).sum()


def test_off_gives_the_task_back():
    task = task_of(recipe_of())
    assert wrap(task, NetAug()) is task and wrap(task, replace(WIDER, alpha=0.0)) is task


@pytest.mark.parametrize("kind", ["regression", "heatmap", "rle"])
def test_own_terms_and_what_is_saved_are_those_of_the_plain_task(kind):
    recipe = recipe_of(kind)
    batch = batch_of(recipe)
    plain, wider = task_of(recipe), wrap(task_of(recipe), WIDER)
    assert wider.net is wider.task.net
    assert_same(wider.net.state_dict(), plain.net.state_dict())
    torch.manual_seed(1)
    expected = plain(batch)
    torch.manual_seed(1)
    found = wider(batch)
    assert list(found) == [*expected, *(f"augmented.{name}" for name in expected)]
    assert_same({name: found[name] for name in expected}, expected)
    # The running figures are those of one pass, the plain one.
    assert_same(wider.task.state_dict(), plain.state_dict())
    assert any(int(value) for name, value in wider.net.state_dict().items() if name.endswith("num_batches_tracked"))
    again = recipe.build()
    again.load_state_dict(wider.net.state_dict())
    with torch.no_grad():
        assert_same(again.eval()(batch.image), plain.net.eval()(batch.image))


def test_running_figures_are_those_of_plain_passes_alone():
    recipe = recipe_of()
    plain, wider = task_of(recipe), wrap(task_of(recipe), WIDER)
    for index in range(3):
        batch = batch_of(recipe, index=index)
        plain(batch), wider(batch)
    assert_same(wider.net.state_dict(), plain.net.state_dict())
    assert int(wider.taken) == 3


def test_alpha_weighs_the_wider_terms_and_slopes_reach_all_weights():
    recipe = recipe_of()
    batch = batch_of(recipe)
    slopes, terms = {}, {}
    for alpha in (0.5, 2.0):
        task = wrap(task_of(recipe), replace(WIDER, alpha=alpha, expansions=(1.5,), widths=(1.5,)))
        terms[alpha] = task(batch)
        wider = total({name: value for name, value in terms[alpha].items() if name.startswith("augmented.")})
        wider.backward()
        slopes[alpha] = {name: p.grad for name, p in task.named_parameters()}
    for name, value in terms[0.5].items():
        assert torch.equal(terms[2.0][name], 4 * value if name.startswith("augmented.") else value)
    assert any(name.startswith("supernet.") for name in slopes[0.5])
    for name, slope in slopes[0.5].items():
        assert slope.any(), name
        torch.testing.assert_close(slopes[2.0][name], 4 * slope)


def test_the_step_is_plain_and_wider_slopes_together():
    recipe = recipe_of()
    batch = batch_of(recipe)
    plain, task = task_of(recipe), wrap(task_of(recipe), WIDER)
    total(plain(batch)).backward()
    torch.manual_seed(2)
    found = task(batch)
    wider = total({name: value for name, value in found.items() if name.startswith("augmented.")})
    names = [name for name, _ in plain.named_parameters()]
    alone = torch.autograd.grad(wider, list(task.task.parameters()), retain_graph=True)
    total(found).backward()
    own, both = dict(plain.named_parameters()), dict(task.task.named_parameters())
    assert any(slope.any() for slope in alone)
    for name, slope in zip(names, alone, strict=True):
        torch.testing.assert_close(both[name].grad, own[name].grad + slope, rtol=1e-4, atol=1e-6)


def test_steps_are_reproducible_and_differ():
    recipe = recipe_of()
    batch = batch_of(recipe)
    seen = []
    for seed in (1, 2, 3, 1):
        task = wrap(task_of(recipe), WIDER)
        torch.manual_seed(seed)
        seen.append(total(task(batch)).item())
    assert seen[0] == seen[3] and len(set(seen)) == 3


def test_maps_between_blocks_are_wider_for_a_share_of_the_run_and_resumed(monkeypatch):
    recipe = recipe_of()
    batch = batch_of(recipe, count=3)
    config = replace(WIDER, stop=0.5)

    def asked(task):
        seen = []
        draw = task.supernet.draw
        monkeypatch.setattr(task.supernet, "draw", lambda between: seen.append(between) or draw(between))
        return seen

    task = wrap(task_of(recipe), config, steps=6)
    seen = asked(task)
    for _ in range(2):
        task(batch)
    assert seen == [True, True]
    again = wrap(task_of(recipe, 5), config, steps=6)
    again.load_state_dict(task.state_dict())
    assert_same(again.state_dict(), task.state_dict())
    seen = asked(again)
    for _ in range(3):
        again(batch)
    assert seen == [True, False, False]
    unknown = wrap(task_of(recipe), config)
    unknown.taken += 1000
    seen = asked(unknown)
    unknown(batch)
    assert seen == [True]


def test_in_evaluation_there_is_the_plain_task_alone():
    recipe = recipe_of()
    batch = batch_of(recipe)
    plain, task = task_of(recipe).eval(), wrap(task_of(recipe), WIDER).eval()
    assert_same(task(batch), plain(batch))
    assert int(task.taken) == 0


def test_losses_keep_count_of_plain_passes_and_weights_are_shared():
    recipe = recipe_of("centernet")
    recipe = replace(recipe, losses={"efl": Efl()})
    plain, task = task_of(recipe), wrap(task_of(recipe), WIDER)
    batch = batch_of(recipe)
    plain(batch), task(batch)
    assert any(value.any() for value in plain.losses.state_dict().values())
    assert_same(task.task.losses.state_dict(), plain.losses.state_dict())
    recipe = replace(recipe_of(), auto_weight=AutoWeight(kind="kendall"))
    task = wrap(task_of(recipe), replace(WIDER, expansions=(1.5,), widths=(1.5,)))
    found = task(batch_of(recipe))
    (name,) = recipe.losses
    assert set(found) == {name, f"auto_weight.{name}", f"augmented.{name}", f"augmented.auto_weight.{name}"}
    total(found).backward()
    # d/ds of L e^-s / 2 + s / 2 at 0, where the terms are halves: the wider loss counts as the plain one does.
    (slope,) = [p.grad for p in task.task.auto_weight.parameters()]
    torch.testing.assert_close(slope, 1 - found[name].detach() - found[f"augmented.{name}"].detach())


def test_frozen_parts_stay_and_the_average_is_of_the_plain_network():
    recipe = recipe_of(freeze=("backbone.layer1", "neck"), lr=1e-2)
    task = wrap(task_of(recipe), WIDER).train()
    before = {name: value.clone() for name, value in task.net.state_dict().items()}
    optimizer, average = optimizer_for(task, recipe.train), averaged(task.net, 0.9)
    for index in range(2):
        total(task(batch_of(recipe, index=index))).backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(task.net)
    after = task.net.state_dict()
    kept = {name for name in after if name.startswith(("backbone.layer1", "neck."))}
    assert kept and all(torch.equal(after[name], before[name]) == (name in kept) for name in after)
    assert average.module.state_dict().keys() == after.keys()


@pytest.mark.parametrize(
    "backbone", [TINY, pytest.param(MobileNetV2(0.35), marks=pytest.mark.slow)], ids=["resnet", "mobilenet_v2"]
)
def test_thirty_steps_lower_both_losses(backbone):
    recipe = recipe_of("regression", backbone)
    task = wrap(task_of(recipe), WIDER)
    task.task.net.to(memory_format=torch.channels_last)
    batch = batch_of(recipe, count=8)
    batch = replace(batch, image=batch.image.contiguous(memory_format=torch.channels_last))
    optimizer = optimizer_for(task, recipe.train)
    seen = []
    for step in range(30):
        torch.manual_seed(step)
        terms = task(batch)
        seen.append(torch.stack(list(terms.values())).tolist())
        optimizer.zero_grad()
        total(terms).backward()
        optimizer.step()
    own, wider = zip(*seen, strict=True)
    assert sum(own[-5:]) < 0.7 * sum(own[:5]) and sum(wider[-5:]) < 0.7 * sum(wider[:5])


def test_whole_images_too():
    recipe = RECIPES["centernet-tiny"](FOUR, size=(64, 64))
    recipe = replace(recipe, model=replace(recipe.model, backbone=TINY))
    plain, task = task_of(recipe), wrap(task_of(recipe), WIDER)
    images = FullImages(Synthetic(FOUR, count=2, size=(64, 64), seed=4).dataset(), recipe)
    batch = collate([images[0, place] for place in range(2)])
    expected, found = plain(batch), task(batch)
    assert list(found) == [*expected, *(f"augmented.{name}" for name in expected)]
    assert_same(task.net.state_dict(), plain.net.state_dict())


def test_other_networks_are_refused():
    with pytest.raises(RecipeError, match="netaug: a backbone of the type ShuffleNetV2Backbone cannot be made wider"):
        wrap(task_of(recipe_of(backbone=ShuffleNetV2(0.5))), WIDER)
    task = task_of(recipe_of())
    task.net = nn.Linear(2, 3)
    with pytest.raises(RecipeError, match="needs a network with a backbone, and this is a Linear"):
        wrap(task, WIDER)
    assert isinstance(wrap(task_of(recipe_of()), WIDER), NetAugTask)
