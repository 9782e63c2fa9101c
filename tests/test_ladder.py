"""A ladder is climbed in several goes: what its result file holds is not trained again, and nothing in it is lost."""

import json

import pytest
from figures import FOUR

from benchmarks import ladder, record
from posekit.data.readers import read
from posekit.data.synthetic import Synthetic


@pytest.fixture
def climb(tmp_path, monkeypatch):
    """Climb with given words; tells which runs were made."""
    made = []

    def train(words, run):
        made.append((words[1], run.name))
        return {"command": ladder.shown(words, run), "commit": "c", "date": "d", "figures": {"score": len(made)}}

    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(ladder, "RESULTS", tmp_path)
    monkeypatch.setattr(ladder, "train", train)
    monkeypatch.setattr(ladder, "training_files", lambda setup, folder: [ladder.root() / name for name in setup.train])

    def go(*words):
        made.clear()
        monkeypatch.setattr("sys.argv", ["ladder", "mtfl5", *words])
        ladder.main()
        return list(made), json.loads((tmp_path / "ladder_mtfl5.json").read_text())

    return go


def test_what_is_held_is_not_trained_again(climb):
    made, _ = climb("--only", "topdown-dark")
    assert made == [("topdown-dark-tiny", "mtfl5-topdown-dark-5")]
    made, result = climb("--only", "topdown-dark", "topdown-rle", "--seeds", "0", "1")
    assert [run for _, run in made] == [
        "mtfl5-topdown-rle-5",
        "mtfl5-topdown-dark-5-seed1",
        "mtfl5-topdown-rle-5-seed1",
    ]
    assert set(result["methods"]) == set(result["repeats"]) == {"topdown-dark", "topdown-rle"}
    made, result = climb("--only", "topdown-rle")
    assert made == []
    assert set(result["methods"]) == {"topdown-dark", "topdown-rle"}


def test_another_command_is_another_run(climb):
    climb("--only", "topdown-dark")
    made, result = climb("--only", "topdown-dark", "--train.lr", "1e-3")
    assert len(made) == 1
    assert result["methods"]["topdown-dark"]["command"].endswith("--train.lr 1e-3")


def test_the_mirrored_images_are_asked_once(climb, monkeypatch):
    asked = []
    monkeypatch.setattr(ladder, "flipped", lambda setup, run: asked.append(run.name) or {"score": 7})
    made, _ = climb("--only", "topdown-dark")
    made, result = climb("--only", "topdown-dark", "--flip-test")
    assert made == []
    assert result["methods"]["topdown-dark"]["flip_test"] == {"score": 7}
    climb("--only", "topdown-dark", "--flip-test")
    assert asked == ["mtfl5-topdown-dark-5"]


def test_every_representation_of_the_plane_is_a_recipe(climb):
    made, _ = climb("--every")
    assert len(made) == len(ladder.EVERY) == 19
    assert not any("3d" in name for name, _ in made)


def test_slipped_labels_are_left_out(tmp_path, monkeypatch):
    file = Synthetic(FOUR, count=12, size=(64, 64), seed=3).to_files(tmp_path)
    whole = read(file)
    height = whole.xy[..., 1].mean(1)
    monkeypatch.setenv("POSEKIT_DATA", str(tmp_path))
    setup = ladder.Setup((str(file.relative_to(tmp_path)),), "", (64, 64), 1, least_y=0.5)
    kept = read(*ladder.training_files(setup, tmp_path / "runs"))
    share = (height - whole.boxes[:, 1]) / (whole.boxes[:, 3] - whole.boxes[:, 1])
    assert 0 < len(kept) == (share >= 0.5).sum() < 12
    assert ladder.training_files(ladder.replace(setup, least_y=0.0), tmp_path) == [file]
