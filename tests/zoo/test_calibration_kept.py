"""A calibration in the weights folder reaches the scores of predictions, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR

import posekit
from posekit.metrics.calibration import Calibration
from posekit.recipes import RECIPES
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import read_spec, write_spec
from posekit.zoo.weights import load_weights, save_weights

MADE = Calibration(temperature=2.0, shift=-0.5, meaning="error below 0.1 of the box's longer side")


@pytest.fixture
def folder(tmp_path):
    recipe = RECIPES["topdown-dark-tiny"](FOUR, size=(64, 96))
    torch.manual_seed(0)
    save_weights(tmp_path / "mine", recipe.build().eval(), recipe, {"pck@0.2": 0.75, "oks": float("nan")})
    return tmp_path / "mine"


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 50, 3), dtype=np.uint8) for height in (40, 60)]


def rewritten(folder, value):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["spec"]["calibration"] = value
    file.write_text(json.dumps(config))


def keep(folder, calibration):
    write_spec(folder, replace(read_spec(folder), calibration=calibration))


def test_a_folder_without_one_gives_the_codecs_scores(folder, images):
    assert json.loads((folder / "config.json").read_text())["spec"]["calibration"] is None
    before = posekit.load(folder)(images)
    rewritten(folder, None)
    after = posekit.load(folder)(images)
    for old, new in zip(before, after, strict=True):
        for name in ("xy", "score", "instance_score"):
            assert getattr(old, name).tobytes() == getattr(new, name).tobytes()


def test_scores_are_calibrated_and_places_are_not(folder, images):
    before = posekit.load(folder)(images)
    keep(folder, MADE)
    loaded = posekit.load(folder)
    assert loaded.spec.calibration == MADE
    boxes = [np.array([[0.0, 0, 50, 40], [5, 5, 30, 30]]), np.zeros((0, 4))]
    for old, new in zip(before, loaded(images), strict=True):
        assert old.xy.tobytes() == new.xy.tobytes()
        np.testing.assert_array_equal(new.score, MADE.apply(old.score))
        np.testing.assert_allclose(new.instance_score, MADE.apply(old.score).mean(-1))
        assert new.score.dtype == np.float32 and new.instance_score.dtype == np.float32
        assert not np.allclose(new.score, old.score)
    two, none = loaded(images, boxes)
    assert (two.score.shape, none.score.shape) == ((2, 4), (0, 4))


def test_writing_one_changes_nothing_else(folder):
    names = sorted(p.name for p in folder.iterdir())
    kept = {name: (folder / name).read_bytes() for name in names if name != "config.json"}
    before = load_weights(folder)
    keep(folder, Calibration(3.0))
    keep(folder, MADE)
    assert sorted(p.name for p in folder.iterdir()) == names
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    after = load_weights(folder)
    assert (after.recipe, after.spec) == (before.recipe, replace(before.spec, calibration=MADE))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"temperature": -1}, "calibration.temperature: Input should be greater than 0"),
        (
            {"temperature": 0, "shift": float("nan")},
            r"temperature: .*greater than 0; calibration\.shift: .*finite number",
        ),
        ({"temperatur": 1.0}, "temperatur: Unexpected keyword argument"),
        ([2.0, 0.1], "calibration: Input should be"),
    ],
)
def test_a_calibration_that_is_none_is_told_in_one_line(folder, value, message):
    rewritten(folder, value)
    with pytest.raises(WeightsError, match=rf"config\.json: .*{message}") as caught:
        load_weights(folder)
    assert "\n" not in str(caught.value)
