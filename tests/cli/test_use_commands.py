"""`eval`, `predict` and `data` as a person uses them."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.cli.main import main
from posekit.data.readers import read
from posekit.zoo.load import load


def test_eval_prints_figures_points_and_sigmas(trained, data, tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert main(["eval", "--model", str(trained), "--data", str(data), "--json", str(target)]) == 0
    out = capsys.readouterr().out
    for word in ("pck@0.2", "nme_box", "left_grip", "0.05 (default)", "24 instances"):
        assert word in out
    figures = json.loads(target.read_text())["figures"]
    precision = {name: figures.pop(name) for name in list(figures) if name.startswith("A")}
    assert 0 <= precision["AP"] <= precision["AP50"] <= 1
    kept = json.loads((trained / "best" / "config.json").read_text())["spec"]["figures"]
    assert {name: pytest.approx(value, rel=1e-5) for name, value in kept.items() if name != "epoch"} == figures


def test_eval_tells_kinds_of_errors_apart(trained, data, tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert main(["eval", "--model", str(trained), "--data", str(data), "--errors", "--json", str(target)]) == 0
    out = capsys.readouterr().out
    assert "OKS lost" in out and "inversion" in out
    told = json.loads(target.read_text())
    assert sum(told["errors"]["share"].values()) == pytest.approx(1)
    assert sum(told["errors"]["oks_lost"].values()) == pytest.approx(1 - told["figures"]["oks"], abs=0.02)
    assert told["errors"]["share"]["not found"] == 0


def test_eval_refuses_a_metric_that_does_not_fit(trained, data, capsys):
    assert main(["eval", "--model", str(trained), "--data", str(data), "--metric", "nme_interocular"]) == 1
    assert "needs a face" in capsys.readouterr().err


def test_eval_maps_points_by_the_names_of_the_data(trained, data, tmp_path, capsys):
    part = json.loads(Path(data).read_text())
    for category in part["categories"]:
        category["keypoints"], category["skeleton"] = category["keypoints"][:3], []
    for label in part["annotations"]:
        label["keypoints"] = label["keypoints"][:9]
        label.pop("depth", None)
    file = Path(data).with_name("three.json")
    file.write_text(json.dumps(part))
    words = ["eval", "--model", str(trained), "--data", str(file)]
    assert main(words) == 1
    assert "--map-points" in capsys.readouterr().err
    assert main([*words, "--map-points"]) == 0
    assert "left_grip" in capsys.readouterr().out
    assert main([*words, "--map-points", "--calibrate"]) == 1
    assert "leave out --map-points" in capsys.readouterr().err
    # A model whose data were read with a named skeleton: that is not the one of other data.
    copy = tmp_path / "copy"
    shutil.copytree(trained / "best", copy)
    config = json.loads((copy / "config.json").read_text())
    config["recipe"]["data"]["skeleton"] = "hand21"
    (copy / "config.json").write_text(json.dumps(config))
    assert main(["eval", "--model", str(copy), "--data", str(file), "--map-points"]) == 0


def test_predict_with_boxes_equals_the_measured_points_in_coco_pixels(trained, data, tmp_path, capsys):
    out = tmp_path / "out"
    images = str(Path(data).parent / "images") if (Path(data).parent / "images").is_dir() else str(Path(data).parent)
    assert main(["predict", images, "--model", str(trained), "--boxes", str(data), "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    assert len(results) == 24
    assert len(list(out.glob("*.png"))) == 24
    dataset = read(data)
    sample = dataset.instance(5)
    (poses,) = load(trained)([sample.image], [sample.instances.boxes])
    mine = next(r for r in results if r["image_id"] == sample.image_id)
    points = np.array(mine["keypoints"]).reshape(-1, 3)
    np.testing.assert_allclose(points[:, :2] + 0.5, poses.xy[0], atol=2e-3)
    np.testing.assert_allclose(points[:, 2], poses.score[0], atol=1e-3)


def test_predict_takes_the_whole_image_without_boxes_and_globs(trained, data, tmp_path, capfd):
    folder = Path(read(data).images[0].path).parent
    out = tmp_path / "out"
    some = sorted(folder.glob("*1.png"))
    assert len(some) == 3
    capfd.readouterr()
    assert main(["predict", f"{folder}/*1.png", "--model", str(trained), "--out", str(out)]) == 0
    assert "unsupported key" not in capfd.readouterr().err
    results = json.loads((out / "results.json").read_text())
    assert [r["file_name"] for r in results] == [p.name for p in some]
    assert results[0]["bbox"] == [0, 0, 64, 64]


def test_predict_says_which_images_have_no_boxes_and_does_the_others(trained, data, tmp_path, capsys):
    known, other = Path(read(data).images[0].path), tmp_path / "stranger.png"
    shutil.copy(known, other)
    words = ["predict", str(other), str(known), "--model", str(trained), "--boxes", str(data)]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "1 image has no boxes in" in (err := capsys.readouterr().err) and "stranger.png" in err
    assert [r["file_name"] for r in json.loads((tmp_path / "out" / "results.json").read_text())] == [known.name]


def test_predict_keeps_pictures_of_the_same_name_apart(trained, data, tmp_path):
    image = Path(read(data).images[0].path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(image, tmp_path / name / image.name)
    out = tmp_path / "out"
    sources = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["predict", *sources, "--model", str(trained), "--out", str(out)]) == 0
    assert len(list(out.rglob("*.png"))) == 2


def test_predict_goes_on_after_a_broken_image_and_says_so(trained, data, tmp_path, capsys):
    good = Path(read(data).images[0].path)
    shutil.copy(good, tmp_path / good.name)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path), "--model", str(trained), "--out", str(out)]) == 1
    assert len(json.loads((out / "results.json").read_text())) == 1
    err = capsys.readouterr().err
    assert "broken.jpg" in err
    assert "1 of 2 images could not be read" in err


def test_the_same_maps_are_read_in_another_way(data, trained, tmp_path, capsys):
    words = ["eval", "--model", str(trained), "--data", str(data), "--json"]
    asked = {"plain": [], "same": ["refine=dark"], "none": ["refine=none"], "wide": ["blur=60", "refine=dark"]}
    found = {}
    for name, fields in asked.items():
        file = tmp_path / f"{name}.json"
        assert main([*words, str(file), *(("--decode", *fields) if fields else ())]) == 0
        found[name] = json.loads(file.read_text())["figures"]
    assert found["same"] == found["plain"]
    assert len({figures["nme_box"] for figures in found.values()}) == 3
    capsys.readouterr()
    assert main([*words[:-1], "--decode", "refined=none"]) == 1
    assert "field=value with a field of the codec (sigma, target, refine, blur" in capsys.readouterr().err
    assert main([*words[:-1], "--decode", "refine=best"]) == 1
    assert "refine" in capsys.readouterr().err


def test_data_check_prints_figures_and_draws_each_sample_beside_its_flipped_self(data, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", str(data), "--out", str(sheet), "--samples", "4"]) == 0
    out = capsys.readouterr().out
    assert "24 images, 24 instances" in out
    assert "left_grip" in out
    drawn = cv2.imread(str(sheet))
    # Eight pictures, six a row: four samples, each with its mirror image, in two rows.
    assert 2.5 < drawn.shape[1] / drawn.shape[0] < 3.2


def test_data_pack_trains_like_any_label_file(data, tmp_path, capsys):
    archive = tmp_path / "tiny.zip"
    assert main(["data", "pack", str(data), "--size", "72", "--out", str(archive)]) == 0
    assert "24 crops of at most 72 px" in capsys.readouterr().out
    words = ["train", "topdown-regression-tiny", "--data.train", str(archive), "--out", str(tmp_path / "run")]
    assert main([*words, "--size", "64", "64", "--train.epochs", "1", "--device", "cpu"]) == 0


def test_data_without_a_word_tells_its_words(capsys):
    assert main(["data"]) == 2
    assert "data check FILE" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "option"), [("runs/gauge", "--model"), ("labels.json", "--data")])
def test_eval_names_the_option_of_a_word_without_one(word, option, capsys):
    assert main(["eval", word]) == 2
    assert f"unknown word {word!r}; did you mean {option} {word}?" in capsys.readouterr().err
