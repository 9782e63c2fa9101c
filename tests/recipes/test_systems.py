"""What every system for full images owes, over the dict of them."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR
from stand_ins import predictor_of

from posekit.codecs.one_stage import ONE_STAGE_CODECS
from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import read_out
from posekit.evaluation.measure import measure
from posekit.recipe import RecipeError, dump, parse
from posekit.recipes import RECIPES, SYSTEMS
from posekit.training.task import Task

NAMES = {"centernet", "fcos", "directpose", "fcpose", "dekr", "dekr-first", "ttfnet", "movenet"}
SIZE = (128, 192)
ON = pytest.mark.parametrize("name", SYSTEMS)


@pytest.fixture(scope="module")
def drawn():
    return Synthetic(FOUR, count=4, size=(96, 160), seed=7, people=4).dataset()


@pytest.fixture(scope="module")
def made():
    """Recipe and freshly drawn network of a system, each made once."""
    kept = {}

    def make(name):
        if name not in kept:
            torch.manual_seed(0)
            recipe = RECIPES[f"{name}-tiny"](FOUR, size=SIZE, backbone="mobilenet_v3")
            net = recipe.build().eval()
            # Heads are drawn so small that all cells say the same, and which is best would be a matter of rounding.
            with torch.no_grad():
                for weight in net.head.parameters():
                    weight.add_(0.05 * torch.randn_like(weight) * (weight.ndim == 4))
            kept[name] = recipe, net
        return kept[name]

    return make


def batch_of(recipe, dataset, *numbers):
    return collate([recipe.augment.still_scene(dataset.scene(n), size=recipe.size) for n in numbers])


def test_every_system_is_there():
    assert set(SYSTEMS) == NAMES
    used = {RECIPES[name](FOUR).codec.kind for name in SYSTEMS}
    assert used == set(ONE_STAGE_CODECS)


@ON
def test_the_network_gives_what_the_codec_wants(name, made):
    recipe, net = made(name)
    with torch.no_grad():
        maps = net(torch.zeros(2, 3, *SIZE, dtype=torch.uint8))
    assert {key: tuple(maps[key].shape[1:]) for key in recipe.codec.shapes} == {
        key: tuple(shape) for key, shape in recipe.codec.shapes.items()
    }


@ON
def test_a_recipe_is_its_json(name, made):
    recipe, _ = made(name)
    assert parse(dump(recipe), "here") == recipe


@ON
def test_the_plain_form_is_made_too(name):
    recipe = RECIPES[name](FOUR)
    assert recipe.one_stage
    assert recipe.size == ((384, 384) if name == "movenet" else (512, 512))
    with pytest.raises(RecipeError, match="has its own codec and losses"):
        RECIPES[name](FOUR, codec="dark")


@ON
def test_every_weight_learns_and_nobody_is_no_fault(name, made, drawn):
    """Losses are finite with and without people, and reach all weights together."""
    recipe, _ = made(name)
    torch.manual_seed(0)
    task = Task(recipe, recipe.build()).train()
    full = batch_of(recipe, drawn, 0, 1)
    role = torch.zeros_like(full.instances.role)
    for batch in (full, replace(full, instances=replace(full.instances, role=role))):
        terms = task(batch)
        total = torch.stack(list(terms.values())).sum()
        assert torch.isfinite(total)
        task.zero_grad()
        total.backward()
        for key, weight in task.named_parameters():
            assert weight.grad is not None or not weight.requires_grad, key
            assert weight.grad is None or torch.isfinite(weight.grad).all(), key
    task.zero_grad()
    torch.stack(list(task(full).values())).sum().backward()
    still = [key for key, weight in task.named_parameters() if weight.requires_grad and not weight.grad.any()]
    # Layers drawn as zeros pass nothing on to what feeds them before the first step.
    assert len(still) <= 0.1 * len(list(task.parameters())), still


@ON
def test_poses_of_any_maps_are_sound(name, made):
    recipe, net = made(name)
    torch.manual_seed(1)
    image = torch.randint(0, 256, (3, 3, *SIZE), dtype=torch.uint8)
    with torch.no_grad():
        poses = read_out(net, recipe.codec, image)
    count, points = poses.xy.shape[1], len(FOUR.points)
    assert poses.xy.shape == (3, count, points, 2)
    assert poses.score.shape == (3, count, points)
    assert poses.boxes.shape == (3, count, 4)
    for value in (poses.score, poses.instance_score):
        assert ((value >= 0) & (value <= 1)).all()
    assert torch.isfinite(poses.xy).all()
    assert torch.isfinite(poses.boxes).all()
    # Images of a batch do not hear of each other.
    with torch.no_grad():
        alone = read_out(net, recipe.codec, image[1:2])
    torch.testing.assert_close(alone.instance_score[0], poses.instance_score[1], atol=1e-4, rtol=1e-3)


@ON
def test_maps_that_are_no_numbers_hurt_nobody(name, made):
    recipe, net = made(name)
    if hasattr(recipe.codec, "select"):
        pytest.skip("its maps are made for chosen cells; see its own tests")
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, *SIZE, dtype=torch.uint8))
    poses = recipe.codec.decode({key: torch.full_like(value, torch.nan) for key, value in maps.items()})
    assert torch.isfinite(poses.xy).all()
    assert torch.isfinite(poses.instance_score).all()


@ON
def test_a_mirror_of_a_mirror_is_the_image(name, made):
    recipe, net = made(name)
    torch.manual_seed(2)
    with torch.no_grad():
        maps = net(torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8))
    twice = recipe.codec.flip(recipe.codec.flip(maps, FOUR.flip), FOUR.flip)
    for key in recipe.codec.shapes:
        torch.testing.assert_close(twice[key], maps[key], atol=1e-5, rtol=1e-5, msg=key)


@ON
def test_measuring_an_untrained_network(name, made, drawn):
    recipe, net = made(name)
    measured = measure(predictor_of(net, recipe), drawn)
    assert measured.main == "AP"
    assert 0 <= measured.figures["AP"] < 0.5
