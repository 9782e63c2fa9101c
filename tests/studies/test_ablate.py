"""A study of techniques: which runs it makes, that finished ones are kept, and what it writes."""

import json

import pytest
from figures import FOUR, labelled_files

from posekit.cli.main import main
from posekit.recipe import RecipeError
from posekit.recipes import RECIPES
from posekit.studies import ablate


@pytest.fixture
def recipe():
    return RECIPES["topdown-dsnt-tiny"](FOUR, size=(32, 32), backbone="mobilenet_v2")


def test_the_ends_take_all_seeds_and_the_rest_some(recipe, tmp_path):
    found = ablate.variants(recipe, ["aid", "bone"])
    assert list(found) == ["baseline", "aid", "bone", "together"]
    made = ablate.runs(found, tmp_path, (0, 1, 2), (0,))
    assert [run.folder.name for run in made] == [
        *(f"baseline-seed{seed}" for seed in range(3)),
        "aid-seed0",
        "bone-seed0",
        *(f"together-seed{seed}" for seed in range(3)),
    ]
    assert {run.recipe.seed for run in made if run.variant == "together"} == {0, 1, 2}
    assert len({json.dumps(run.recipe.train.epochs) for run in made}) == 1
    assert list(ablate.variants(recipe, ["aid"])) == ["baseline", "aid"]
    assert list(ablate.variants(recipe, ["aid", "bone"], single=False)) == ["baseline", "together"]
    # Two activations cannot both be there; each by itself can.
    with pytest.raises(RecipeError, match=r"^silu: overwritten by a later technique.*--no-together"):
        ablate.variants(recipe, ["silu", "aid", "mish"])
    assert len(ablate.variants(recipe, ["silu", "mish"], together=False)) == 3
    with pytest.raises(RecipeError, match="named twice"):
        ablate.variants(recipe, ["aid", "aid"])


def test_costs_are_told_by_ratio(recipe):
    spent = ablate.costs(ablate.variants(recipe, ["condconv"]), rounds=2)
    assert spent["baseline"]["ms_ratio"] == spent["baseline"]["step_ms_ratio"] == 1
    assert spent["condconv"]["parameters"] > 2 * spent["baseline"]["parameters"]


def finished(run, value):
    run.folder.mkdir(parents=True, exist_ok=True)
    summary = {"figures": {"pck": value}, "main": "pck", "images_seen": 1200}
    (run.folder / "summary.json").write_text(json.dumps(summary))


def test_figures_have_means_spreads_and_changes(recipe, tmp_path):
    todo = ablate.runs(ablate.variants(recipe, ["aid", "bone"]), tmp_path, (0, 1), (0,))
    for run, value in zip(todo, (0.5, 0.7, 0.55, 0.65, 0.8, 1.0), strict=True):
        finished(run, value)
    said = []
    ablate.train_all(todo, "cpu", 1, said.append)
    assert said == ["6 runs, 6 of them finished before"]
    result = ablate.report(todo, {"baseline": {"parameters": 1234, "macs": 5_000_000, "ms_ratio": 1.0}})
    assert result["metric"] == "pck"
    assert result["variants"]["baseline"]["mean"] == pytest.approx(0.6)
    assert result["variants"]["baseline"]["spread"] == pytest.approx(0.02**0.5)
    assert result["variants"]["aid"]["change"] == pytest.approx(-0.05)
    assert result["variants"]["aid"]["spread"] is None
    assert result["variants"]["together"]["change"] == pytest.approx(0.3)
    files = ablate.write(result, tmp_path)
    lines = files[1].read_text().splitlines()
    assert lines[2].startswith("| baseline | 0.6000 +- 0.1414 |  | 1,234 | 5.0 M | x1.00 |")
    assert "| aid | 0.5500 | -0.0500 |" in lines[3]
    svg = files[2].read_text()
    assert svg.count("<circle") == 2 * 3 + 2
    assert "together" in svg


def test_a_run_that_fails_is_named(recipe, tmp_path):
    todo = ablate.runs(ablate.variants(recipe, []), tmp_path, (0,), (0,))
    with pytest.raises(RuntimeError, match=r"baseline-seed0 failed, see .*log.txt"):
        ablate.train_all(todo, "cpu", 1, lambda _: None)
    assert "no training data" in (todo[0].folder / "log.txt").read_text()


@pytest.mark.slow
def test_a_study_from_the_command_line(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=16, size=(48, 48))
    out = tmp_path / "study"
    words = ["ablate", "topdown-dsnt-tiny", "--data.train", str(file), "--size", "32", "32", "--with", "aid", "bone"]
    more = ["--train.epochs", "1", "--train.batch", "8", "--backbone", "mobilenet_v2", "--out", str(out)]
    assert main([*words, *more]) == 0
    first = (out / "ablation.json").read_text()
    assert set(json.loads(first)["variants"]) == {"baseline", "aid", "bone", "together"}
    capsys.readouterr()
    assert main([*words, *more]) == 0
    assert "4 of them finished before" in capsys.readouterr().out


def test_a_study_starts_from_a_model_as_training_does(tmp_path, capsys, monkeypatch):
    """All variants have the network of the initial model, so that its weights fit."""
    monkeypatch.setattr(ablate, "train_all", lambda todo, *more: recipes.extend(run.recipe for run in todo))
    monkeypatch.setattr(ablate, "costs", lambda found: {})
    monkeypatch.setattr(ablate, "report", lambda todo, costs: {})
    monkeypatch.setattr(ablate, "write", lambda result, out: [])
    monkeypatch.setattr(ablate, "table", lambda result: "")
    recipes = []
    labels = str(labelled_files(tmp_path, count=8))
    words = ["ablate", "topdown-dark-tiny", "--data.train", labels, "--data.val", labels, "--init", "body-crop-s"]
    assert main([*words, "--with", "aid", "condconv", "--no-together", "--out", str(tmp_path / "out")]) == 0
    assert [one.model.backbone.kind for one in recipes] == ["movenet"] * 3
    assert "network of body-crop-s" in capsys.readouterr().out
    assert all(one.build(weights=False) is not None for one in recipes)


def test_nothing_to_compare_is_refused(tmp_path, capsys):
    labels = str(labelled_files(tmp_path, count=8))
    words = ["ablate", "topdown-dark-tiny", "--data.train", labels, "--out", str(tmp_path / "out")]
    assert main([*words, "--with"]) == 1
    assert "--with names no technique, so nothing would be compared; known: aid, " in capsys.readouterr().err
    assert main([*words, "--loss", "qfl", "--with", "aid", "qfl"]) == 1
    assert "qfl: the recipe has it already, so there is nothing to compare" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*words, "--with", "aid", "--int", "x"])
    assert "(all options: posekit train topdown-dark-tiny --help-all)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
