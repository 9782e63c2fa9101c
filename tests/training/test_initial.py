"""Runs that begin with the weights of others."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR, labelled_files

from posekit.cli.main import main
from posekit.geometry.skeleton import Skeleton
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.resnet import ResNet
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.recipe import dump, parse
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.initial import initial_net
from posekit.zoo.errors import WeightsError
from posekit.zoo.weights import load_weights, save_weights


def recipe_of(kind="regression", skeleton=FOUR, backbone=None, **fields):
    recipe = RECIPES[f"topdown-{kind}-tiny"](skeleton, size=(64, 64))
    return replace(recipe, model=replace(recipe.model, backbone=backbone or ResNet(18, 0.125)), **fields)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(1)
    recipe = recipe_of()
    save_weights(tmp_path / "before", recipe.build(), recipe, {"epe": 1.0})
    return tmp_path / "before"


def test_all_of_it_fits(folder):
    told = []
    recipe = recipe_of(init=str(folder))
    net = initial_net(recipe, told.append).state_dict()
    before = load_weights(folder).net.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in net.items())
    assert told == [f"starts with {len(net)} of {len(net)} tensors from {folder}"]
    assert parse(dump(recipe), "here") == recipe


def test_what_does_not_fit_is_as_drawn_and_told(folder):
    told = []
    recipe = recipe_of(skeleton=SKELETONS["face5"], init=str(folder))
    torch.manual_seed(3)
    drawn = recipe.build().state_dict()
    after_drawing = torch.rand(1)
    torch.manual_seed(3)
    net = initial_net(recipe, told.append).state_dict()
    assert torch.equal(torch.rand(1), after_drawing)
    before = load_weights(folder).net.state_dict()
    other = [name for name, value in net.items() if value.shape != before[name].shape]
    assert other and all(name.startswith("head.") for name in other)
    for name, value in net.items():
        assert torch.equal(value, drawn[name] if name in other else before[name]), name
    assert told[0] == f"starts with {len(net) - len(other)} of {len(net)} tensors from {folder}"
    assert told[1].startswith(f"not loaded, initial values kept: {other[0]} (10,")
    assert "(there (8," in told[1]


@pytest.mark.parametrize("names", [("topdown-dark-tiny", "ttfnet-tiny"), ("ttfnet-tiny", "topdown-dark-tiny")])
def test_a_network_for_crops_and_one_for_whole_images_share_a_neck(names, tmp_path):
    first, second = (RECIPES[name](FOUR, size=(64, 64)) for name in names)
    save_weights(tmp_path / "before", first.build(), first, {"epe": 1.0})
    told = []
    initial_net(replace(second, init=str(tmp_path / "before")), told.append)
    assert all("neck." not in line for line in told), told


def test_another_head_is_told_too(folder):
    told = []
    initial_net(recipe_of("simcc", init=str(folder)), told.append)
    assert [line.split(":")[0] for line in told[1:]] == ["not loaded, initial values kept", "in the file but not used"]


def test_nothing_that_fits_is_refused(folder):
    recipe = recipe_of("simcc", backbone=MobileNetV2(0.25), init=str(folder))
    with pytest.raises(WeightsError, match=r"none of its parameters fits .*'mobilenet_v2', there 'resnet'"):
        initial_net(recipe, print)
    with pytest.raises(WeightsError, match="no such folder"):
        initial_net(replace(recipe, init="./nowhere"), print)


def test_a_run_starts_from_a_run_and_keeps_its_zeros(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=24)
    brief = ["--size", "64", "64", "--train.epochs", "1", "--train.batch", "4", "--device", "cpu"]
    brief += ["--backbone", "resnet", "--model.backbone.depth", "18", "--model.backbone.width", "0.125"]
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), *brief]
    assert main([*words, "--out", str(tmp_path / "first")]) == 0
    prune = ("--prune.share", "0.6", "--prune.start", "0", "--prune.stop", "0.5", "--prune.keep", "head")
    assert main([*words, *prune, "--init", str(tmp_path / "first"), "--out", str(tmp_path / "second")]) == 0
    assert f"tensors from {tmp_path / 'first' / 'best'}" in capsys.readouterr().out
    weights = load_weights(tmp_path / "second")
    assert weights.recipe.init == str(tmp_path / "first")
    # The averaged weights, which are the ones that are saved, have the zeros.
    pruned = weights.recipe.prune.weights(weights.net)
    zeros = sum(int((w == 0).sum()) for w in pruned)
    assert zeros == round(0.6 * sum(w.numel() for w in pruned))
    assert all(w.all() for name, w in weights.net.head.named_parameters() if name.endswith("weight"))
    assert set(weights.net.state_dict()) == set(load_weights(tmp_path / "first").net.state_dict())


def heads_of(kind, points, source_points, init_points=(), tmp_path=None):
    """Head weights of a network that starts from one with other points, before, there and after."""
    there = recipe_of(kind, Skeleton("there", source_points))
    torch.manual_seed(2)
    save_weights(tmp_path / "there", there.build(), there, {})
    here = recipe_of(kind, Skeleton("here", points), init=str(tmp_path / "there"), init_points=init_points)
    told = []
    torch.manual_seed(3)
    before = here.build().state_dict()
    torch.manual_seed(3)
    after = initial_net(here, told.append).state_dict()
    name = "head.maps.heatmap.weight"
    return before[name], load_weights(tmp_path / "there").net.state_dict()[name], after[name], told


def test_rows_of_the_head_follow_the_names_of_the_points(tmp_path):
    before, there, after, told = heads_of(
        "heatmap", ("tail", "nose", "ear"), ("ear", "eye", "nose", "paw"), (), tmp_path
    )
    assert torch.equal(after[1], there[2])
    assert torch.equal(after[2], there[0])
    assert torch.equal(after[0], before[0])
    assert "2 of 3 points start from the same point there (nose, ear)" in told[1]


def test_as_many_points_with_other_names_are_not_taken_for_the_same(tmp_path):
    before, there, after, _ = heads_of("heatmap", ("a", "b"), ("b", "c"), (), tmp_path)
    assert torch.equal(after[1], there[0])
    assert torch.equal(after[0], before[0])


def test_points_start_from_those_that_are_named(tmp_path):
    _, there, after, _ = heads_of("heatmap", ("snout", "ear"), ("nose", "ear"), ("snout=nose",), tmp_path)
    assert torch.equal(after, there)


@pytest.mark.parametrize("text", ["snout", "snout=mouth", "mouth=nose", "=nose"])
def test_a_start_that_names_no_point_is_refused(text, tmp_path):
    with pytest.raises(WeightsError, match=r"init_points .* expected OWN=THEIRS"):
        heads_of("heatmap", ("snout", "ear"), ("nose", "ear"), (text,), tmp_path)


def test_a_head_can_start_anew(folder):
    torch.manual_seed(5)
    recipe = recipe_of(init=str(folder), init_head=False)
    net = initial_net(recipe, lambda line: None).state_dict()
    before = load_weights(folder).net.state_dict()
    heads = [name for name in net if name.startswith("head.") and net[name].ndim > 1]
    assert heads and not any(torch.equal(net[name], before[name]) for name in heads)
    assert all(torch.equal(value, before[name]) for name, value in net.items() if not name.startswith("head."))


@pytest.mark.parametrize("override", [{"convolution": "condconv"}, {"convolution": "dynamic"}, {"activation": "frelu"}])
def test_replaced_layers_start_from_those_of_the_model(override, folder):
    """Before, none of the backbone's weights fitted where a layer has several kernels."""
    recipe = recipe_of(init=str(folder), override=BackboneOverrides(**override))
    told = []
    torch.manual_seed(5)
    net = initial_net(recipe, told.append).eval()
    assert told[1] == "the backbone's layers are then replaced as --override asks, starting from these weights"
    assert told[0].startswith("starts with ") and not any("not loaded" in line for line in told)
    assert {name: value.shape for name, value in net.state_dict().items()} == {
        name: value.shape for name, value in recipe.build().state_dict().items()
    }
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        found, before = net.backbone(image / 255.0)[-1], load_weights(folder).net.backbone(image / 255.0)[-1]
    assert float((found - before).norm() / before.norm()) < 0.2


def test_a_model_with_several_kernels_goes_on_with_them(folder, tmp_path):
    override = BackboneOverrides(convolution="condconv")
    first = recipe_of(init=str(folder), override=override)
    net = initial_net(first, lambda line: None)
    save_weights(tmp_path / "mixed", net, first, {})
    again = initial_net(recipe_of(init=str(tmp_path / "mixed"), override=override), lambda line: None).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in net.state_dict().items())
