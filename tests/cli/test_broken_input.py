"""Whatever is broken is answered with one clear line and a non-zero status, never with a traceback."""

import json
import re
import shutil

import pytest
from broken import BROKEN

from posekit.cli.main import main

BRIEF = ("--size", "64", "64", "--train.epochs", "1", "--device", "cpu")


@pytest.mark.parametrize("name", BROKEN)
def test_data_check_tells_what_is_broken(name, tmp_path, capsys):
    path, told = BROKEN[name](tmp_path)
    assert main(["data", "check", str(path), "--out", str(tmp_path / "sheet.png")]) == 1
    out, err = capsys.readouterr()
    # The check counts broken images, where a reader stops at the first: the same fault in other words.
    in_other_words = r"error .* (images?|files?) .*/\w+\.(jpg|png|webp).*; (give|copy|take|choose|save|use|correct)"
    said = " ".join((out + err).split())
    assert re.search(told, said) or re.search(in_other_words, said), said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", BROKEN)
def test_train_refuses_it_in_one_line(name, tmp_path, capsys):
    path, told = BROKEN[name](tmp_path)
    words = ["train", "topdown-regression-tiny", "--data.train", str(path), "--data.val", str(path), *BRIEF]
    status = main([*words, "--out", str(tmp_path / "run")])
    err = capsys.readouterr().err
    assert status == 1
    last = err.strip().splitlines()[-1]
    assert re.search(told, last), err
    assert last.startswith("posekit train: ")
    assert "Traceback" not in err


def _copy(trained, tmp_path):
    shutil.copytree(trained / "best", tmp_path / "model")
    return tmp_path / "model"


def _no_tensors(folder):
    (folder / "model.safetensors").unlink()


def _damaged_tensors(folder):
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")


def _cut_config(folder):
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text[: len(text) // 2])


def _another_net(folder):
    config = json.loads((folder / "config.json").read_text())
    config["recipe"]["model"]["backbone"]["width"] = 0.25
    (folder / "config.json").write_text(json.dumps(config))


def _unknown_field(folder):
    config = json.loads((folder / "config.json").read_text())
    config["recipe"]["train"]["epocs"] = 3
    (folder / "config.json").write_text(json.dumps(config))


def _no_recipe(folder):
    (folder / "config.json").write_text('{"format": 1}')


def _later_format(folder):
    config = json.loads((folder / "config.json").read_text())
    config["format"] = 99
    (folder / "config.json").write_text(json.dumps(config))


MODELS = {
    "a later format": (_later_format, "format 99, this posekit reads 2"),
    "no tensors": (_no_tensors, "missing"),
    "damaged tensors": (_damaged_tensors, "damaged or not safetensors"),
    "config cut short": (_cut_config, "not a posekit config"),
    "tensors of another net": (_another_net, "do not fit the network"),
    "unknown field": (_unknown_field, r"train\.epocs"),
    "config without a recipe": (_no_recipe, "not a posekit config"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_model_is_told_in_one_line(name, trained, data, tmp_path, capsys):
    spoil, told = MODELS[name]
    folder = _copy(trained, tmp_path)
    spoil(folder)
    assert main(["eval", "--model", str(folder), "--data", str(data)]) == 1
    err = capsys.readouterr().err
    assert re.search(told, err), err
    assert err.count("\n") == 1


RECIPES = {
    "not json": ("{", "Invalid JSON"),
    "empty object": ("{}", "Field required"),
    "a list": ("[1]", "recipe.json"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_broken_recipe_is_told_in_one_line(name, data, tmp_path, capsys):
    text, told = RECIPES[name]
    file = tmp_path / "recipe.json"
    file.write_text(text)
    assert main(["train", str(file), "--data.train", str(data), "--out", str(tmp_path / "run")]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eval", "--model", "nowhere/at/all", "--data", "x.json"], "no such folder"),
        (["predict", "nothing-here", "--model", "x"], "no image there"),
        (["data", "check", "nothing.json"], "nothing.json"),
        (["data", "pack", "nothing.json", "--size", "64"], "nothing.json"),
        (["train", "topdown-rle-tiny"], "no training data"),
        (["train", "nothing.json"], "nothing.json"),
    ],
)
def test_what_is_not_there_is_named(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert told in out + err
    assert "Traceback" not in err
