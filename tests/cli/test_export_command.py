"""`posekit export`, and predict and eval with the file that it wrote, as a person uses them."""

import json
from pathlib import Path

import numpy as np
import pytest

from posekit.cli.main import main
from posekit.data.readers import read
from posekit.exporting.graph import Graph


@pytest.fixture(scope="module")
def exported(trained, data, tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    assert main(["export", "--model", str(trained), "--out", str(file), "--count", "6"]) == 0
    return file


def test_the_command_says_what_was_compared_and_where_the_file_is(trained, tmp_path, capsys):
    file = tmp_path / "tiny.onnx"
    (tmp_path / "tiny.xml").write_text("of another model")  # does not count
    assert main(["export", "--model", str(trained), "--out", str(file), "--count", "6"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "same as the original: 10 instances in 10 images (the run's validation data); points differ by at most" in out
    )
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    assert f"{file}, {size}, report in {file}.report.json; next: posekit predict PHOTO --model {file}" in out


def test_predict_gives_the_same_points(trained, exported, data, tmp_path, capsys):
    photo = str(read(data).images[0].path)
    results = []
    for name, model in (("run", trained), ("file", exported)):
        words = ["predict", photo, "--model", str(model), "--boxes", str(data), "--out", str(tmp_path / name)]
        assert main(words) == 0
        results.append(json.loads((tmp_path / name / "results.json").read_text()))
    assert len(results[0]) == len(results[1]) == 1
    mine, theirs = (np.array(entries[0]["keypoints"]).reshape(-1, 3) for entries in results)
    np.testing.assert_allclose(mine, theirs, atol=0.01)
    assert results[0][0]["point_names"] == results[1][0]["point_names"]


def test_eval_gives_the_same_figures(trained, exported, data, tmp_path, capsys):
    figures = []
    for name, model in (("run", trained), ("file", exported)):
        target = tmp_path / f"{name}.json"
        assert main(["eval", "--model", str(model), "--data", str(data), "--json", str(target)]) == 0
        figures.append(json.loads(target.read_text())["figures"])
    assert figures[0] == pytest.approx(figures[1], abs=1e-3)
    out = capsys.readouterr().out
    assert f"24 instances, {exported}" in " ".join(out.split())


@pytest.mark.parametrize("words", [["--calibrate"], ["--rank"], ["--decode", "blur=60"]])
def test_eval_refuses_what_needs_the_folder(exported, data, capsys, words):
    assert main(["eval", "--model", str(exported), "--data", str(data), *words]) == 1
    err = " ".join(capsys.readouterr().err.split())
    assert f"need the weights folder of one model, and {exported} is an exported file" in err


def test_an_exported_file_is_not_exported_again(exported, capsys):
    assert main(["export", "--model", str(exported)]) == 1
    assert "tiny.onnx is exported already: name the run or the weights folder" in capsys.readouterr().err


def test_a_broken_export_ends_with_status_1_and_leaves_a_report(trained, tmp_path, monkeypatch, capsys):
    right = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, image: right(self, image) | {"xy": right(self, image)["xy"] + 1})
    file = tmp_path / "tiny.onnx"
    assert main(["export", "--model", str(trained), "--out", str(file), "--count", "6"]) == 1
    assert "tiny.onnx was not written: points differ by up to 1.414 px" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx.failed.json"]
    assert json.loads(Path(f"{file}.failed.json").read_text())["passed"] is False


def test_predict_refuses_another_flip_test_and_files_of_others(exported, data, tmp_path, capsys):
    photo = str(read(data).images[0].path)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    for model, words in ((broken, "broken.onnx: not a readable ONNX file"), (tmp_path / "no.onnx", "no such file")):
        assert main(["predict", photo, "--model", str(model), "--out", str(tmp_path / "out")]) == 1
        assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
