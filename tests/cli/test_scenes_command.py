"""Full images from the command line: train a system, measure it, find everyone."""

import json
import shutil

import pytest
from figures import FOUR

from posekit.cli.main import main
from posekit.data.synthetic import Synthetic
from posekit.recipes import RECIPES
from posekit.zoo.weights import save_weights


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return Synthetic(FOUR, 12, (96, 128), seed=5, people=3).to_files(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "centernet"
    words = ["train", "centernet-tiny", "--data.train", str(data), "--size", "64", "96", "--out", str(run)]
    more = ["--backbone", "mobilenet_v3", "--train.epochs", "1", "--train.batch", "4", "--augment.scene.mosaic", "0.5"]
    assert main([*words, *more]) == 0
    return run


@pytest.fixture
def boxed(tmp_path):
    """A model that is shown boxes, as it is before training."""
    recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 64))
    save_weights(tmp_path / "boxed", recipe.build(weights=False), recipe, {})
    return tmp_path / "boxed"


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


def test_images_are_measured_as_they_are_shown(trained, data, tmp_path):
    """Fitted once is what measuring does anyway; larger, more random detections of the network turn up."""
    words = ["eval", "--model", str(trained), "--data", str(data), "--json", str(tmp_path / "figures.json")]
    found = []
    for more in ([], ["--scales", "1"], ["--scales", "1", "2", "--tiles"]):
        assert main([*words, *more]) == 0
        found.append(json.loads((tmp_path / "figures.json").read_text())["figures"])
    assert found[1] == pytest.approx(found[0], nan_ok=True)
    assert found[2]["nme_box"] != pytest.approx(found[0]["nme_box"])


def test_a_model_of_boxes_is_shown_no_sizes(boxed, data, capsys):
    assert main(["eval", "--model", str(boxed), "--data", str(data), "--scales", "2"]) == 1
    assert "leave out --scales" in capsys.readouterr().err


def test_predicting_needs_no_boxes(trained, data, tmp_path, capsys):
    images = str(data.parent / "images")
    out = tmp_path / "out"
    assert main(["predict", images, "--model", str(trained), "--out", str(out), "--tiles", "--scales", "1", "2"]) == 0
    assert len(list(out.glob("*.png"))) == 12
    assert main(["predict", images, "--model", str(trained), "--boxes", str(data), "--out", str(out)]) == 1
    assert "leave out the boxes" in capsys.readouterr().err


def test_what_a_system_settles_itself_is_not_asked_for(data, capsys):
    assert main(["train", "centernet-tiny", "--data.train", str(data), "--codec", "dark"]) == 1
    assert "leave out --codec" in capsys.readouterr().err


def test_poses_are_ranked_by_their_shape_from_then_on(data, trained, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    words = ["eval", "--model", str(copy), "--data", str(data), "--json"]
    assert main([*words, str(tmp_path / "plain.json")]) == 0
    assert main([*words, str(tmp_path / "taught.json"), "--rank"]) == 0
    assert "rescored" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "ranked.json")]) == 0
    plain, taught, ranked = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("plain", "taught", "ranked")
    )
    # Rescoring leaves the model's own figures alone, and changes the order of poses alone.
    assert taught["figures"] == plain["figures"]
    assert set(taught["ranking"]["before"]) == set(taught["ranking"]["after"]) >= {"AP", "AR50"}
    assert ranked["figures"]["nme_box"] == plain["figures"]["nme_box"]
    assert taught["ranking"]["poses"] > 0
    assert json.loads((copy / "best" / "config.json").read_text())["spec"]["rescorer"] is not None


def test_a_model_of_boxes_has_nothing_to_rank(boxed, data, capsys):
    assert main(["eval", "--model", str(boxed), "--data", str(data), "--rank"]) == 1
    assert "--rank is for one-stage models" in capsys.readouterr().err
