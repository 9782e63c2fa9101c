"""Heads that start from another network's say the same in pixels, whatever an output of 1 stands for."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR

from posekit.engines.torch import read_out
from posekit.models.backbones.movenet import MoveNet
from posekit.recipe import changed
from posekit.recipes import RECIPES
from posekit.training.initial import initial_net
from posekit.training.initial_units import last_layers
from posekit.zoo.weights import load_weights, save_weights

SIZE = (64, 96)


def one_stage(system, **fields):
    recipe = RECIPES[f"{system}-tiny"](FOUR, size=SIZE, backbone="movenet")
    recipe = replace(recipe, model=replace(recipe.model, backbone=MoveNet("lightning")))
    return changed(recipe, fields) if fields else recipe


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """MoveNet's network for several people with random weights that say something."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    recipe = one_stage("movenet")
    net = recipe.build()
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    save_weights(folder, net, recipe, {})
    return folder


@pytest.fixture(scope="module")
def image():
    return torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def assert_alike(found, value, name=""):
    """Equal to a ten thousandth of the largest value: sums run in another order."""
    assert (found - value).abs().max() <= 1e-4 * value.abs().max(), name


def activated(recipe, net, image):
    with torch.no_grad():
        return recipe.codec.activate(net.eval()(image))


@pytest.mark.parametrize("unit", [None, 16.0, 10.0])
def test_all_of_centernet_starts_from_movenet(published, image, unit):
    told = []
    recipe = replace(one_stage("centernet", **{"codec.unit": unit}), init=str(published))
    net = initial_net(recipe, told.append)
    source = load_weights(published)
    assert told[0].startswith(f"starts with {len(net.state_dict())} of {len(net.state_dict())} tensors")
    assert any("rescaled" in line for line in told) == (unit is not None)
    ours, theirs = activated(recipe, net, image), activated(source.recipe, source.net, image)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        assert_alike(ours[name], value, name)


def test_what_was_rescaled_is_told(published):
    told = []
    initial_net(replace(one_stage("centernet"), init=str(published)), told.append)
    assert "rescaled for another unit in pixels: size 4 to 16, point_offsets 4 to 16" in told


def test_ttfnet_takes_centres_offsets_and_half_of_each_size(published, image):
    told = []
    recipe = replace(one_stage("ttfnet"), init=str(published))
    net = initial_net(recipe, told.append)
    assert "box starts from size: each side half of it away" in told
    source = load_weights(published)
    ours, theirs = activated(recipe, net, image), activated(source.recipe, source.net, image)
    for name in ("centre", "point_offsets"):
        assert_alike(ours[name], theirs[name], name)
    # Four pixels a cell.
    half = (theirs["size"].repeat(1, 2, 1, 1) * 4 / 2).relu()
    assert_alike(ours["box"], half)


def test_dekr_starts_from_heatmaps_and_offsets(published, image):
    recipe = replace(one_stage("dekr"), init=str(published))
    net = initial_net(recipe, lambda line: None)
    source = load_weights(published)
    ours, theirs = activated(recipe, net, image), activated(source.recipe, source.net, image)
    assert_alike(ours["point_offsets"], theirs["point_offsets"])
    assert_alike(ours["heatmap"], torch.cat((theirs["peaks"], theirs["centre"]), 1).sigmoid())


def test_a_run_of_ttfnet_keeps_its_own_boxes(tmp_path, image):
    """A start of the same system and unit is only copied."""
    torch.manual_seed(2)
    recipe = one_stage("ttfnet")
    save_weights(tmp_path, recipe.build(), recipe, {})
    told = []
    net = initial_net(replace(recipe, init=str(tmp_path)), told.append)
    assert not any("rescaled" in line or "box" in line for line in told)
    source = load_weights(tmp_path)
    for name, value in activated(recipe, source.net, image).items():
        assert_alike(activated(recipe, net, image)[name], value, name)


def test_systems_on_movenet_have_its_pyramid():
    for system in ("centernet", "ttfnet", "dekr", "movenet"):
        assert one_stage(system).model.neck.kind == "movenet_fpn", system
    assert one_stage("centernet").codec.offset_each
    assert not RECIPES["centernet-tiny"](FOUR, size=SIZE).codec.offset_each


def test_centernet_decodes_what_movenet_says(published, image):
    """Without snapping both put the points where the centre predicts them."""
    recipe = replace(one_stage("centernet", **{"codec.snap": False, "codec.max_instances": 3}), init=str(published))
    net = initial_net(recipe, lambda line: None).eval()
    with torch.no_grad():
        poses = read_out(net, recipe.codec, image)
    source = load_weights(published)
    with torch.no_grad():
        maps = source.net.eval()(image)
    boxes = source.recipe.codec.decode(maps).boxes
    best = poses.boxes[:, :1].clamp(min=0)
    height, width = SIZE
    best = torch.minimum(best, best.new_tensor((width, height, width, height)))
    assert ((boxes - best).abs().amax(-1).amin(1) < 0.05).all()


def test_the_last_layer_of_a_branch():
    names = [
        *("neck.peaks_of.0.weight", "head.branches.peaks.0.weight", "head.branches.peaks.3.weight"),
        *("head.branches.peaks.3.bias", "head.branches.size.1.weight", "head.point_offsets.weight", "offset.weight"),
    ]
    assert last_layers(names, ("peaks", "size", "point_offsets", "offset")) == {
        "head.branches.peaks.3": "peaks",
        "head.branches.size.1": "size",
        "head.point_offsets": "point_offsets",
    }
