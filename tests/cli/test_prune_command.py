"""`posekit prune`: a smaller model that can be loaded, and trained further."""

import json
from dataclasses import replace

import pytest
import torch
from figures import FOUR, labelled_files

from posekit.cli.main import main
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.compress.count import count_macs
from posekit.models.compress.quantise import FakeQuant
from posekit.recipes import RECIPES
from posekit.zoo.structured import thinned
from posekit.zoo.weights import load_weights, save_weights


def saved(folder, backbone=None, **fields):
    torch.manual_seed(0)
    recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 64))
    recipe = replace(recipe, model=replace(recipe.model, backbone=backbone or ResNet(18, 0.125)), **fields)
    save_weights(folder, recipe.build(), recipe, {"epe": 1.0})
    return folder


def test_a_model_is_made_smaller_and_trained_further(tmp_path, capsys):
    pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 'posekit[prune]'")
    before, small = saved(tmp_path / "before"), tmp_path / "small"
    assert main(["prune", str(before), "--macs", "0.6", "--out", str(small)]) == 0
    out = capsys.readouterr().out
    assert f"posekit train {small / 'recipe.json'} --init {small}" in out
    whole, made = load_weights(before), load_weights(small)
    assert count_macs(made.net, (64, 64)) <= 0.6 * count_macs(whole.net, (64, 64))
    assert f"{count_macs(made.net, (64, 64)):,}" in out
    image = torch.rand(2, 3, 64, 64) * 255
    with torch.no_grad():
        expected = thinned(before, 0.6).net(image)
        assert all(torch.equal(value, expected[name]) for name, value in made.net(image).items())
    assert made.metrics == {}
    assert json.loads((small / "recipe.json").read_text())["pruned"]["backbone.conv1"][1] == 3

    file, run = labelled_files(tmp_path / "data", count=12), tmp_path / "run"
    words = ["train", str(small / "recipe.json"), "--init", str(small), "--data.train", str(file), "--out", str(run)]
    assert main([*words, "--train.epochs", "1", "--train.batch", "4", "--device", "cpu"]) == 0
    count = len(made.net.state_dict())
    assert f"starts with {count} of {count} tensors from {small}" in capsys.readouterr().out
    assert count_macs(load_weights(run).net, (64, 64)) == count_macs(made.net, (64, 64))
    assert main(["prune", str(run), "--macs", "0.6", "--out", str(small)]) == 1
    assert f"{small} already holds a model" in capsys.readouterr().err
    # What was made smaller can be made smaller again.
    again = thinned(run, 0.7)
    assert count_macs(again.net, (64, 64)) <= 0.7 * count_macs(made.net, (64, 64))


def test_what_cannot_be_pruned_is_answered_in_one_line(tmp_path, capsys):
    plain = saved(tmp_path / "plain")
    rounded = saved(tmp_path / "rounded", quantise=FakeQuant(bits=8))
    for folder, macs, told in (
        (plain, "1.5", "share of multiply-accumulates to keep, between 0 and 1; got 1.5"),
        (rounded, "0.5", "was trained with quantisation (quantise.bits 8): remove channels first"),
        (tmp_path / "nowhere", "0.5", "no such folder"),
    ):
        assert main(["prune", str(folder), "--macs", macs, "--out", str(tmp_path / "small")]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / "small").exists()


def test_a_backbone_that_cannot_be_followed_is_refused(tmp_path):
    pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 'posekit[prune]'")
    with pytest.raises(ValueError, match="take another backbone"):
        thinned(saved(tmp_path / "shuffle", ShuffleNetV2(0.5)), 0.5)


def test_without_torch_pruning_the_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_pruning", None)
    assert main(["prune", str(saved(tmp_path / "plain")), "--out", str(tmp_path / "small")]) == 1
    assert "pip install 'posekit[prune]'" in capsys.readouterr().err
