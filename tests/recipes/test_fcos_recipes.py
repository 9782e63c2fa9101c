"""FCOS, DirectPose and FCPose as recipes: levels that fit the size, suppression, published weights of losses."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR
from pydantic import ValidationError

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.models.compress.count import count_parameters
from posekit.recipe import RecipeError
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.task import Task

KINDS = ("fcos", "directpose", "fcpose")
each = pytest.mark.parametrize("kind", KINDS)


@each
@pytest.mark.parametrize(
    ("suffix", "size", "strides"),
    [
        ("", (512, 512), (8, 16, 32, 64, 128)),
        ("", (384, 640), (8, 16, 32, 64, 128)),
        ("", (448, 640), (8, 16, 32, 64)),
        ("", (480, 640), (8, 16, 32)),
        ("-tiny", (256, 256), (8, 16, 32)),
        ("-tiny", (512, 512), (8, 16, 32)),
    ],
)
def test_levels_are_those_that_the_size_can_be_halved_to(kind, suffix, size, strides):
    recipe = RECIPES[kind + suffix](FOUR, size=size)
    assert recipe.codec.strides == strides
    assert recipe.model.neck.extra == len(strides) - 3


@each
def test_a_size_that_no_pyramid_fits_is_answered(kind):
    with pytest.raises(RecipeError, match="image is 250x256; a map of stride 32 needs multiples of it: use 256x256"):
        RECIPES[f"{kind}-tiny"](FOUR, size=(250, 256))


@each
def test_repetitions_are_suppressed_by_their_boxes(kind):
    nms = RECIPES[kind](FOUR).nms
    assert (nms.method, nms.threshold, nms.score_threshold, nms.max_instances) == ("box", 0.6, 0.05, 100)


def test_weights_of_the_losses():
    weights = {kind: {name: loss.weight for name, loss in RECIPES[kind](FOUR).losses.items()} for kind in KINDS}
    assert weights["fcos"] == {"class": 1, "box": 1, "centreness": 1, "points": 1}
    assert weights["directpose"] == {"class": 1, "centreness": 1, "points": 1, "peaks": 4}
    assert weights["fcpose"] == {
        **{"class": 1, "box": 1, "centreness": 1},
        **{"point_maps": 2.5, "refine": 9, "fine": 0.2, "coarse": 0.2},
    }


def test_heads_of_coco_have_their_published_sizes():
    parts = {kind: RECIPES[kind](SKELETONS["coco17"]).build().head for kind in ("directpose", "fcpose")}
    assert count_parameters(parts["directpose"].points) == 2_675_444
    shared, sides = parts["fcpose"].shared, parts["fcpose"].sides
    assert [count_parameters(part) for part in (shared, sides)] == [1_484_866, 1_505_186]
    assert count_parameters(parts["fcpose"].controller) == 6_308_785


def test_a_network_for_each_instance_takes_no_flip_test():
    recipe = RECIPES["fcpose-tiny"](FOUR)
    with pytest.raises(ValidationError, match=r"train.flip_test: codec 'fcpose' runs a network for each instance"):
        replace(recipe, train=replace(recipe.train, flip_test=True))


@pytest.mark.parametrize("kind", ["fcos-tiny", "directpose-tiny", "fcpose-tiny"])
def test_some_steps_lower_every_loss(kind):
    torch.manual_seed(0)
    recipe = RECIPES[kind](FOUR, size=(64, 96), backbone="mobilenet_v3")
    drawn = Synthetic(FOUR, count=3, size=(64, 96), seed=7, people=2).dataset()
    shown = [recipe.augment.still_scene(drawn.scene(n), size=recipe.size) for n in range(3)]
    batch, task = collate(shown), Task(recipe, recipe.build()).train()
    optimizer = torch.optim.Adam(task.parameters(), 2e-3)
    values = []
    for _ in range(12):
        terms = task(batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 5.0)
        optimizer.step()
        values.append(torch.stack(list(terms.values())).detach())
    assert list(terms) == list(recipe.losses)
    first, last = values[0], torch.stack(values[-2:]).mean(0)
    assert last.sum() < 0.8 * first.sum()
