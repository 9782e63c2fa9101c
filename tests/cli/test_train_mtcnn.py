"""`posekit train mtcnn` as a person uses it, and what it wrote given to `posekit predict`."""

import json

import pytest
from figures import labelled_files

from posekit.cli.main import main
from posekit.skeletons.face import FACE5

BRIEF = ("--epochs", "1", "--batch", "32", "--windows.smallest", "24", "--windows.around", "3", "--windows.passes", "1")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return labelled_files(tmp_path_factory.mktemp("faces"), count=3, size=(72, 90), skeleton=FACE5)


def test_trained_and_used(faces, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "mtcnn", "--data.train", str(faces), "--out", str(run), "--device", "cpu", *BRIEF]) == 0
    out = capsys.readouterr().out
    assert "5 points: left_eye, right_eye" in out
    assert out.splitlines()[-1] == f"the cascade is in {run}: posekit predict photo.jpg --model mtcnn --weights {run}"
    images, results = str(faces.parent / "images"), tmp_path / "out" / "results.json"
    for model in (["--model", "mtcnn", "--weights", str(run)], ["--model", str(run)]):
        assert main(["predict", images, "--out", str(results.parent), *model]) == 0
        assert "3 images" in capsys.readouterr().out
        assert isinstance(json.loads(results.read_text()), list)
    assert main(["predict", images, "--model", str(run), "--boxes", str(faces)]) == 1
    assert "leave out the boxes" in capsys.readouterr().err
    again = ["train", "mtcnn", "--data.train", str(faces), "--data.val", str(faces), "--out", str(run), *BRIEF]
    assert main([*again, "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert out.count("taken from") == 3 and "\nfinds " in out


def test_what_cannot_be_is_told_in_one_line(tmp_path, capsys):
    out = ["--out", str(tmp_path / "run")]
    assert main(["train", "mtcnn", *out]) == 1
    assert capsys.readouterr().err == (
        "posekit train: no training data: give --data.train FILE (COCO JSON, YOLO data.yaml, or a pack)\n"
    )
    other = labelled_files(tmp_path / "four", count=2)
    assert main(["train", "mtcnn", "--data.train", str(other), *out]) == 1
    assert "mtcnn learns the 5 points left_eye" in capsys.readouterr().err
    assert main(["train", "mtcnn", "--data.train", str(other), "--data.skeleton", "face5", *out]) == 1
    assert "skeleton 'face5' has 5 points, the data 4" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_help_shows_its_own_options_and_the_recipes_name_it(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "mtcnn", "--help"])
    assert ended.value.code == 0
    assert "--windows.smallest" in capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    assert "posekit train mtcnn --help" in capsys.readouterr().out
