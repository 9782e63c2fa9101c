"""Networks with fewer channels: what they cost, that they can be built again, and which are refused."""

import warnings
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.compress import structured
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.compress.structured import channels, remove_channels, table_of, with_pruned_channels
from posekit.recipes import RECIPES
from posekit.recipes.visibility import with_visibility

SIZE = (64, 96)
BACKBONES = {"resnet": ResNet(18, 0.25), "mobilenet_v2": MobileNetV2(0.35)}
IMAGE = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0)) * 255


def recipe_of(backbone, kind="heatmap", **fields):
    recipe = RECIPES[f"topdown-{kind}-tiny"](FOUR, size=SIZE)
    return replace(recipe, model=replace(recipe.model, backbone=backbone), **fields)


def net_of(recipe, seed=0):
    torch.manual_seed(seed)
    net = recipe.build()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            layer.running_mean.normal_(0, 0.1)
    return net.eval()


def outputs(net):
    with torch.no_grad():
        return net(IMAGE)


def test_an_empty_table_changes_nothing():
    net = net_of(recipe_of(BACKBONES["resnet"]))
    before = {name: id(value) for name, value in net.named_parameters()}
    assert with_pruned_channels(net, {}) is net
    assert {name: id(value) for name, value in net.named_parameters()} == before


def test_layers_are_cut_to_their_first_channels():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.PReLU(8), nn.Conv2d(8, 8, 3, groups=8), nn.ConvTranspose2d(8, 6, 2)
    )
    net.append(nn.Flatten()).append(nn.Linear(6 * 9, 5))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    table = {"0": (5, 3), "1": (5, 5), "2": (5, 5), "3": (5, 5), "4": (4, 5), "6": (5, 36)}
    with_pruned_channels(net, table)
    assert {name: channels(net.get_submodule(name)) for name in table} == table
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name][tuple(slice(size) for size in value.shape)])
    assert net(torch.randn(2, 3, 6, 6)).shape == (2, 5)
    assert all(value.requires_grad for value in net.parameters())
    assert net[3].groups == 5


def test_a_table_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"'1' should have 4 output and 4 input channels, but there is no such layer"):
        with_pruned_channels(nn.Sequential(nn.Linear(3, 4)), {"1": (4, 4)})
    with pytest.raises(
        ValueError, match=r"'0' should have 5 output and 3 input channels, but the recipe's has 4 and 3"
    ):
        with_pruned_channels(nn.Sequential(nn.Linear(3, 4)), {"0": (5, 3)})


def test_without_torch_pruning_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_pruning", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'posekit\[prune\]'"):
        remove_channels(net_of(recipe_of(BACKBONES["resnet"])), SIZE, 0.5)


@pytest.fixture
def torch_pruning():
    return pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 'posekit[prune]'")


@pytest.mark.usefixtures("torch_pruning")
@pytest.mark.parametrize("kind", ["heatmap", pytest.param("simcc", marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", [0.5, pytest.param(0.25, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BACKBONES)
def test_a_share_of_the_cost_is_left_and_the_rest_can_be_built(name, share, kind, tmp_path):
    recipe = recipe_of(BACKBONES[name], kind)
    net = net_of(recipe)
    before, shapes = count_macs(net, SIZE), {key: value.shape for key, value in outputs(net).items()}
    remove_channels(net, SIZE, share)
    assert 0.9 * share * before <= count_macs(net, SIZE) <= share * before
    found = outputs(net)
    assert {key: value.shape for key, value in found.items()} == shapes
    table = table_of(net, recipe.build())
    again = replace(recipe, pruned=table).build()
    assert count_parameters(again) == count_parameters(net) < count_parameters(recipe.build())
    assert again.backbone.channels == tuple(x.shape[1] for x in again.backbone(IMAGE))
    again.load_state_dict(net.state_dict())
    assert all(torch.equal(value, found[key]) for key, value in outputs(again.eval()).items())
    exported(again, found, tmp_path / "model.onnx")


def exported(net, expected, file):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(net, (IMAGE,), str(file), dynamo=False, opset_version=17, input_names=["image"])
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for value, other in zip(expected.values(), session.run(None, {"image": IMAGE.numpy()}), strict=True):
        np.testing.assert_allclose(other, value.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("torch_pruning")
def test_channels_that_matter_least_go(monkeypatch):
    monkeypatch.setattr(structured, "STEPS", 1000)
    net = net_of(recipe_of(BACKBONES["resnet"]))
    block = net.backbone.layer1[0]
    with torch.no_grad():
        for tensor in (block.conv1.weight, block.bn1.weight, block.bn1.bias):
            tensor[3:13].zero_()
        block.conv2.weight[:, 3:13].zero_()
    before = outputs(net)
    left = [channel for channel in range(16) if not 3 <= channel < 13]
    kept = block.bn1.weight[left].clone()
    remove_channels(net, SIZE, 0.995)
    # Nothing read them, so that the network computes the same without them.
    assert torch.equal(block.bn1.weight, kept)
    for name, value in outputs(net).items():
        torch.testing.assert_close(value, before[name], rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("torch_pruning")
def test_what_cannot_be_is_told(monkeypatch):
    monkeypatch.setattr(structured, "STEPS", 4)
    monkeypatch.setattr(structured, "MOST", 0.1)
    with pytest.raises(ValueError, match=r"of the multiply-accumulates are left after removing as many"):
        remove_channels(net_of(recipe_of(BACKBONES["resnet"])), SIZE, 1e-4)
    with pytest.raises(
        ValueError, match=r"channels of this ShuffleNetV2Backbone cannot be followed .* another backbone"
    ):
        remove_channels(net_of(recipe_of(ShuffleNetV2(0.5))), SIZE, 0.5)


@pytest.mark.usefixtures("torch_pruning")
@pytest.mark.parametrize("kind", ["heatmap", "regression"])
def test_visibility_stays_when_channels_go(kind):
    recipe = with_visibility(recipe_of(BACKBONES["resnet"], kind))
    net = net_of(recipe)
    remove_channels(net, SIZE, 0.5)
    assert outputs(net)["visibility"].shape == (2, len(FOUR.points))
    rest = replace(recipe, pruned=table_of(net, recipe.build()))
    again = rest.build().eval()
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(outputs(again)["visibility"], outputs(net)["visibility"])
