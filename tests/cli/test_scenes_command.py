"""Whole images from the command line: train a system, measure it, find everyone."""

import json

import pytest
from figures import FOUR

from posekit.cli.main import main
from posekit.data.synthetic import Synthetic


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return Synthetic(FOUR, 12, (96, 128), seed=5, figures=3).to_files(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "centernet"
    words = ["train", "centernet-tiny", "--data.train", str(data), "--size", "64", "96", "--out", str(run)]
    more = ["--backbone", "mobilenet_v3", "--train.epochs", "1", "--train.batch", "4", "--augment.scene.mosaic", "0.5"]
    assert main([*words, *more]) == 0
    return run


def test_training_leaves_a_run(trained):
    summary = json.loads((trained / "summary.json").read_text())
    assert summary["main"] == "AP"
    assert set(summary["baselines"]) == {"mean pose", "untrained"}
    assert all({"AP", "AR50", "nme_box"} <= set(figures) for figures in summary["baselines"].values())
    assert (trained / "report.html").read_text().count("<img") >= 2


def test_measuring_again_gives_the_same(trained, data, tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert main(["eval", "--model", str(trained), "--data", str(data), "--json", str(out)]) == 0
    assert set(json.loads(out.read_text())["figures"]) >= {"AP", "AR", "pck@0.2", "nme_box"}
    assert "AP" in capsys.readouterr().out


def test_predicting_needs_no_boxes(trained, data, tmp_path, capsys):
    images = str(data.parent / "images")
    out = tmp_path / "out"
    assert main(["predict", images, "--model", str(trained), "--out", str(out), "--tiles", "--zooms", "1", "2"]) == 0
    assert len(list(out.glob("*.png"))) == 12
    assert main(["predict", images, "--model", str(trained), "--boxes", str(data), "--out", str(out)]) == 1
    assert "leave out --boxes" in capsys.readouterr().err


def test_what_a_system_settles_itself_is_not_asked_for(data, capsys):
    assert main(["train", "centernet-tiny", "--data.train", str(data), "--codec", "dark"]) == 1
    assert "leave out --codec" in capsys.readouterr().err
