"""`posekit bench`: all models in the same rounds, and misuse told before anything is timed."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from figures import FOUR, labelled_files
from small_models import small_recipe

from posekit.cli.evaluate import _known_skeleton
from posekit.cli.main import main
from posekit.data.coco import write_coco
from posekit.data.synthetic import Synthetic
from posekit.studies.bench import STAGES, candidate, run, size_on_disk, summary
from posekit.zoo.weights import save_weights


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The weights folder of a small model of crops."""
    folder = tmp_path_factory.mktemp("bench") / "mine"
    torch.manual_seed(0)
    recipe = small_recipe("dark")
    save_weights(folder, recipe.build(), recipe, {})
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return labelled_files(tmp_path_factory.mktemp("labels"), count=3)


def test_models_are_timed_and_measured(model, data, tmp_path, capsys):
    words = ["bench", "--model", str(model), f"{model}:torch", "--data", str(data), "--rounds", "1", "--most", "2"]
    assert main([*words, "--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.svg")]) == 0
    out = capsys.readouterr().out
    assert "median of 1 round over 2 images, batch 1, 1 thread, cpu" in out
    document = json.loads((tmp_path / "b.json").read_text())
    assert list(document["models"]) == [str(model), f"{model} (torch)"]
    for row in document["models"].values():
        assert set(row["median_ms"]) == {*STAGES, "all"}
        assert 0 < row["network_share"] <= 1 and row["images_per_second"] > 0
        assert row["cold_start"]["cpu_s"] > 0 and row["MB_on_disk"] > 0
        assert "AP" in row["accuracy"]
    assert "<svg" in (tmp_path / "b.svg").read_text()


def test_photos_need_no_labels(model, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((40, 50, 3), 90, np.uint8))
    one = candidate(str(model), "torch", 1)
    run([one], [tmp_path / "photo.png"], None, rounds=2, batch=1)
    assert all(len(times) == 2 for times in one.stages.values())
    assert summary(one)["median_ms"]["network"] > 0
    assert size_on_disk(str(model)) == (model / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give images to time on (--photos FOLDER), or labelled ones (--data LABELS)"),
        (("--data", "DATA", "--rounds", "0"), "--rounds, --batch, --threads and --most are at least 1"),
        (("--data", "DATA", "--plot", "x.png"), "expected a file that ends in .svg"),
        (("--data", "DATA", "--plot", "x.svg", "--no-accuracy"), "without --no-accuracy"),
        (("--data", "DATA", "--json", "nowhere/x.json"), "there is no folder nowhere"),
        (("--data", "OTHER"), "take a model of these points, or map them"),
        (("--data", "EMPTY"), "no instance with a labelled point"),
    ],
)
def test_misuse_is_told_before_the_timing(model, data, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    from posekit.skeletons import SKELETONS

    other = Synthetic(SKELETONS["hand21"], count=2, size=(48, 48)).to_files(tmp_path / "other")
    drawn = Synthetic(FOUR, count=2, size=(48, 48)).dataset()
    unlabelled = replace(drawn, visibility=np.zeros_like(drawn.visibility))
    made = {"DATA": data, "OTHER": other, "EMPTY": write_coco(unlabelled, tmp_path / "empty.json")}
    monkeypatch.setattr("posekit.studies.bench.run", lambda *_: pytest.fail("it was timed"))
    assert main(["bench", "--model", str(model), *(str(made.get(word, word)) for word in words)]) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_model_is_named_once(model, data, capsys):
    assert main(["bench", "--model", str(model), str(model), "--data", str(data)]) == 1
    assert "is named twice" in capsys.readouterr().err


def test_the_skeleton_of_a_chain_is_not_looked_up():
    assert _known_skeleton("body-s+crops/mine.onnx", None, None) is None
