"""`posekit train` as a person uses it: their file, nothing else."""

import json
import re

import numpy as np
import pytest
from figures import FOUR, labelled_files

from posekit.cli.main import main
from posekit.cli.recipe_help import options_of
from posekit.data.synthetic import Synthetic
from posekit.data.yolo import write_yolo
from posekit.recipes import RECIPES

BRIEF = ("--size", "64", "--train.epochs", "1", "--train.batch", "8", "--device", "cpu")


def test_a_coco_file_with_four_named_points_is_enough(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=24)
    run = tmp_path / "run"
    assert main(["train", "topdown-rle-tiny", "--data.train", str(file), "--out", str(run), *BRIEF]) == 0
    out = capsys.readouterr().out
    assert "4 points: tip, left_grip, right_grip, end" in out
    assert "mirror pairs" in out
    assert "left_grip/right_grip" in out
    assert "0.05 (the declared default) for all points" in out
    assert "every 10th image is held out" in out
    assert str(run / "report.html") in out
    assert (run / "inferred.txt").read_text().splitlines() == [
        line.strip() for line in out.splitlines() if line.startswith("  ")
    ]
    names = {"recipe.json", "metrics.csv", "report.html", "summary.json", "inferred.txt", "best", "last"}
    assert names <= {p.name for p in run.iterdir()}
    assert json.loads((run / "recipe.json").read_text())["skeleton"]["points"] == list(FOUR.points)


def test_a_yolo_data_yaml_is_enough(tmp_path, capsys):
    dataset = Synthetic(FOUR, count=24, size=(64, 64)).dataset()
    yaml = write_yolo(dataset, tmp_path / "data", "train")
    run = tmp_path / "run"
    assert main(["train", "topdown-rle-tiny", "--data.train", str(yaml), "--out", str(run), *BRIEF]) == 0
    out = capsys.readouterr().out
    assert "4 points" in out
    assert "mirror pairs" in out
    assert (run / "best" / "model.safetensors").exists()


def test_any_codec_and_loss_from_the_command_line(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *BRIEF]
    assert main([*words, "--codec", "dsnt", "--loss", "dsnt", "wing", "--losses.wing.weight", "0.1"]) == 0
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipe["codec"]["kind"] == "dsnt"
    assert recipe["losses"]["wing"]["weight"] == 0.1
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "loss/dsnt" in header
    assert "loss/wing" in header


def test_several_losses_weighted_together(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *BRIEF]
    words += ["--loss", "l1", "bone", "oks", "--losses.bone.weight", "0.1", "--losses.oks.form", "log"]
    assert main([*words, "--auto-weight.kind", "liebel_koerner"]) == 0
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipe["losses"]["bone"] == {"weight": 0.1, "variant": "length", "scale": 1.0, "kind": "bone"}
    assert recipe["losses"]["oks"]["form"] == "log"
    assert recipe["auto_weight"] == {"kind": "liebel_koerner"}
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    for name in ("l1", "bone", "oks"):
        assert f"loss/{name}" in header
        assert f"loss/auto_weight.{name}" in header


def test_a_run_repeats_from_its_recipe_to_the_same_figures(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=16)
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["train", "topdown-regression-tiny", "--data.train", str(file), "--out", str(first), *BRIEF]) == 0
    assert main(["train", str(first / "recipe.json"), "--out", str(second), "--device", "cpu"]) == 0
    assert (first / "metrics.csv").read_bytes() == (second / "metrics.csv").read_bytes()


def test_overfit_says_whether_the_set_up_can_learn(tmp_path, capsys, monkeypatch):
    from posekit.training import overfit

    monkeypatch.setattr(overfit, "ROUNDS", 2)
    monkeypatch.setattr(overfit, "STEPS", 2)
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *BRIEF]
    assert main([*words, "--overfit", "4"]) == 1
    out = capsys.readouterr().out
    assert "overfitting 4 samples without augmentation, up to 4 steps" in out
    assert "does NOT learn these samples" in out and "held out" not in out
    # Nothing is written, so the same --out serves the training.
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", ["0", "-3"])
def test_overfitting_nothing_is_refused(count, capsys):
    assert main(["train", "topdown-dark-tiny", "--overfit", count]) == 1
    assert f"--overfit takes the number of samples to overfit, at least 1; got {count}" in capsys.readouterr().err


@pytest.mark.slow
def test_overfit_reaches_near_zero_in_about_a_minute(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=40)
    words = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "run")]
    assert main([*words, "--size", "64", "64", "--device", "cpu", "--overfit", "16"]) == 0
    assert "this set-up can learn" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["topdown-ddark"], "no recipe 'topdown-ddark'; did you mean 'topdown-dark'?\n"),
        (["topdown-dark-tiny", "--codec", "simc"], "did you mean 'simcc'"),
        (["topdown-dark-tiny", "--loss", "wnig"], "did you mean 'wing'"),
        (["topdown-dark-tiny", "--loss", "wing"], "fitting: mse, ohkm"),
        (["topdown-dark-tiny", "--loss", "mse", "mse"], "losses ['mse'] are named twice"),
        (["topdown-rle-tiny", "--auto-weight.kind", "kendall"], "losses that are never negative; ['rle'] are"),
        (["topdown-dark-tiny", "--backbone", "resnt"], "did you mean 'resnet'"),
        (["topdown-dark-tiny", "--size", "100", "64"], "use 128x64"),
        (["topdown-dark-tiny", "--size", "1", "2", "3"], "size takes one number (a square) or height and width"),
        (["topdown-dark-tiny", "--metric", "okss"], "posekit train: no metric 'okss'; those that fit"),
        (["topdown-dark-tiny", "--data.skeleton", "coco71"], "no skeleton 'coco71'"),
        (["topdown-dark-tiny", "--data.skeleton", "coco17"], "has 17 points, the data 4"),
        (["topdown-dark-tiny", "--resume"], "--resume needs --out"),
    ],
)
def test_a_wrong_recipe_is_answered_in_one_line(words, told, tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", words[0], "--data.train", str(file), "--device", "cpu", *words[1:]]
    if "--resume" not in words:
        words += ["--out", str(tmp_path / "run")]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        (("--train.epocs", "3"), "no option --train.epocs; did you mean --train.epochs?"),
        (("--imgsz", "64"), "no option --imgsz; did you mean --size?"),
        (("--epochs", "3"), "no option --epochs; did you mean --train.epochs?"),
        (("--sise", "64"), "no option --sise; did you mean --size?"),
        (("--train.epochs", "-1"), "topdown-dark-tiny: --train.epochs must be at least 1; got -1\n"),
        (("--train.lr", "-3"), "--train.lr must be greater than 0; got -3"),
        (("--train.backbone-lr-mult", "0"), "--train.backbone-lr-mult must be greater than 0; got 0"),
        (("--codec.sigma", "wide"), "--codec.sigma"),
        (("--codec.refine", "drak"), "--codec.refine"),
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_names_the_right_one(flag, told, tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *flag]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert told in err and "pydantic" not in err
    assert not (tmp_path / "run").exists(), "nothing is written before the command is understood"


def test_help_shows_first_what_matters(capsys):
    assert main(["train", "topdown-simcc", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Defaults are those for 17 points" in out and "--help-all" in out
    assert "(default: 256 192)" in out and "--metric NAME" in out
    assert "--model.backbone.weights imagenet" in " ".join(out.split()), "where ImageNet's weights are"
    assert "--train.epochs" in out and "(default: 210)" in out
    assert "--codec.split" not in out
    assert len(out.splitlines()) < 60


@pytest.mark.parametrize(
    ("recipe", "used", "unused"), [("topdown-simcc", "geometry", "scene"), ("fcos", "scene", "geometry")]
)
def test_help_of_everything_shows_every_field_that_the_recipe_can_use(recipe, used, unused, capsys):
    assert main(["train", recipe, "--help-all"]) == 0
    out = capsys.readouterr().out
    assert f"--augment.{used}.rotation" in out and f"--augment.{unused}." not in out
    assert "--codec.points" not in out and "--skeleton" not in out
    assert ("--nms.threshold" in out) == (recipe == "fcos")
    for flag in (
        "data.images",
        "data.category",
        "data.skeleton",
        "data.people",
        "codec",
        "stride",
        "metric",
        "distill",
    ):
        assert f"  --{flag} " in out
    assert "--auto-weight.kind {none,liebel_koerner,kendall}" in out
    heads = [line.rstrip(":").partition(".")[0] for line in out.splitlines() if re.fullmatch(r"[a-z_.0-9]+:", line)]
    assert list(dict.fromkeys(heads))[:3] == ["recipe", "train", "augment"]
    assert list(dict.fromkeys(heads))[-3:] == ["netaug", "prune", "quantise"]
    # Every option says what it is.
    lines = out.splitlines()
    options = [n for n, line in enumerate(lines) if line.startswith("  --") and "." in line.split()[0]]
    assert len(options) > 60
    assert [lines[n] for n in options if not lines[n + 1].strip().partition("(default")[0].strip()] == []


def test_every_option_of_the_help_is_taken(tmp_path, capsys):
    """What is shown with its default can be given back as it is."""
    file = labelled_files(tmp_path / "data", count=3)
    recipe = RECIPES["topdown-dark-tiny"](FOUR)
    words = []
    for option in options_of(recipe):
        if isinstance(option.default, bool):
            words.append(option.words.split(", ")[not option.default])
        elif isinstance(option.default, int | float | str) and option.default != "":
            words += [option.flag, str(option.default)]
    asked = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *words]
    assert main([*asked, "--train.freeze", "nothing"]) == 1
    assert "train.freeze: the network has no part 'nothing'" in capsys.readouterr().err


def test_a_run_is_not_overwritten_and_not_resumed_with_another_recipe(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=12)
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--out", str(tmp_path / "run"), *BRIEF]
    assert main(words) == 0
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    assert main(words) == 1
    assert "already holds a run" in capsys.readouterr().err
    assert main([*words, "--resume", "--train.lr", "0.1"]) == 1
    err = capsys.readouterr().err
    assert "was started with other values: train.lr 0.002 -> 0.1. To resume it as it was: posekit train" in err
    assert f"--init {tmp_path / 'run'} --out NEW" in err
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_columns_of_metrics_say_images_seen(tmp_path):
    file = labelled_files(tmp_path / "data", count=20)
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--data.val", str(file), *BRIEF]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    rows = np.genfromtxt(tmp_path / "run" / "metrics.csv", delimiter=",", names=True)
    assert float(rows["images"]) == 20
