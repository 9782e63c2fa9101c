"""`posekit eval --calibrate` as a person uses it."""

import json
import shutil

import cv2
import numpy as np
import pytest

from posekit.cli.main import main
from posekit.data.readers import read
from posekit.zoo.load import load


@pytest.fixture
def model(trained, tmp_path):
    """A copy of the trained run, to be written to."""
    return shutil.copytree(trained, tmp_path / "run")


def test_calibrate_tells_before_and_after_and_predictions_use_it(model, data, tmp_path, capsys):
    config = model / "best" / "config.json"
    dataset = read(data)
    before, image = json.loads(config.read_text()), dataset.instance(0).image
    labelled = (dataset.visibility[dataset.rows] > 0).sum(1)
    even = np.array([dataset.images[i].id % 2 == 0 for i in dataset.image_of_instance()])
    raw = load(model)([image])[0]
    target = tmp_path / "figures.json"
    words = ["eval", "--model", str(model), "--data", str(data)]
    assert main([*words, "--calibrate", "--within", "0.3", "--json", str(target)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for said in (
        "probability of an error below 0.3 of the box's longer side",
        f"fitted on {labelled[even].sum()} points in images with even ids",
        f"tables of {labelled[~even].sum()} points in images with odd ids",
        "before: expected error",
        "after: expected error",
        "mean score",
        "since these were used to fit",
    ):
        assert said in out
    after = json.loads(config.read_text())
    calibration = after["spec"]["calibration"]
    after["spec"]["calibration"] = None
    assert after == before
    assert set(calibration) == {"temperature", "shift", "meaning"}
    told = json.loads(target.read_text())["calibration"]
    assert {name: told[name] for name in calibration} == calibration
    assert 0 <= told["expected_error"]["after"] <= told["largest_error"]["after"] <= 1
    assert cv2.imread(str(model / "best" / "reliability.png")).shape[2] == 3
    pipeline = load(model)
    np.testing.assert_array_equal(pipeline([image])[0].score, pipeline.spec.calibration.apply(raw.score))


def test_again_it_starts_from_the_codecs_scores(model, data):
    words = ["eval", "--model", str(model), "--data", str(data), "--calibrate"]
    assert main(words) == 0
    first = (model / "best" / "config.json").read_bytes()
    assert main(words) == 0
    assert (model / "best" / "config.json").read_bytes() == first


def test_figures_of_places_stay_and_precision_ranks_by_calibrated_scores(model, data, tmp_path):
    words = ["eval", "--model", str(model), "--data", str(data)]
    figures = []
    for number, more in enumerate(([], ["--calibrate"], [])):
        target = tmp_path / f"{number}.json"
        assert main([*words, *more, "--json", str(target)]) == 0
        figures.append(json.loads(target.read_text())["figures"])
    locations = [{name: value for name, value in f.items() if not name.startswith("A")} for f in figures]
    assert figures[0] == figures[1]
    assert locations[2] == locations[0]


def test_without_the_option_the_folder_stays_as_it_is(model, data):
    before = {p: p.read_bytes() for p in model.rglob("*") if p.is_file()}
    assert main(["eval", "--model", str(model), "--data", str(data)]) == 0
    assert {p: p.read_bytes() for p in model.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--within", "0.1"], "--within needs --calibrate"),
        (["--calibrate", "--within", "0"], "fraction of the box's longer side above 0; got 0"),
        (["--calibrate", "--within", "-1"], "above 0; got -1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_and_nothing_is_written(model, data, words, message, capsys):
    before = sorted(p.name for p in (model / "best").iterdir())
    assert main(["eval", "--model", str(model), "--data", str(data), *words]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(p.name for p in (model / "best").iterdir()) == before


def test_a_model_of_the_hubs_cache_is_not_written_to(model, data, monkeypatch, capsys):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, allow_patterns: str(model / "best"))
    assert main(["eval", "--model", "somebody/tool-points", "--data", str(data), "--calibrate"]) == 1
    assert "is in the cache of the hub; copy" in capsys.readouterr().err
    assert not (model / "best" / "reliability.png").exists()


def test_a_calibration_spoilt_by_hand_is_told(model, data, capsys):
    file = model / "best" / "config.json"
    config = json.loads(file.read_text())
    config["spec"]["calibration"] = {"temperature": 0}
    file.write_text(json.dumps(config))
    assert main(["eval", "--model", str(model), "--data", str(data)]) == 1
    assert "spec: calibration.temperature: Input should be greater than 0" in capsys.readouterr().err
