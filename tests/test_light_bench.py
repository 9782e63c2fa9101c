"""The benchmark of techniques for small networks asks for what `posekit ablate` understands, and keeps what it says."""

import json
import sys
from types import SimpleNamespace

import pytest
from figures import FOUR

from benchmarks import light, record
from posekit.recipes import RECIPES
from posekit.studies.ablate import variants


@pytest.mark.parametrize("name", light.STUDIES)
def test_every_study_is_one_that_can_be_made(name):
    study = light.STUDIES[name]
    recipe = RECIPES[study.recipe](FOUR, size=(64, 64))
    single, together = "--no-single" not in study.parts, "--no-together" not in study.parts
    found = variants(recipe, study.techniques, single=single, together=together)
    assert len(found) == 1 + single * len(study.techniques) + together


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Runs a study with some techniques; `posekit ablate` says that each is worth its place in the list."""
    asked = []

    def run(words, *, check, env):
        asked.append(words)
        techniques = words[words.index("--with") + 1 : words.index("--seeds")]
        seeds = words[words.index("--seeds") + 1 : words.index("--out")]
        values = {name: {"values": [float(n)]} for n, name in enumerate(["baseline", *techniques])}
        values["baseline"]["values"] *= len(seeds)
        (tmp_path / "light" / "mtfl5" / "ablation.json").write_text(
            json.dumps({"metric": "nme", "images_seen": 5, "variants": values})
        )

    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(light, "RESULTS", tmp_path)
    monkeypatch.setattr(light, "held", lambda name: ({}, {}))
    monkeypatch.setattr(light, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(light, "training_files", lambda setup, folder: [folder / "kept.json"])

    def study(*words):
        monkeypatch.setattr(sys, "argv", ["light", "mtfl5", "--root", str(tmp_path / "light"), *words])
        light.main()
        return asked[-1], json.loads((tmp_path / "light_mtfl5.json").read_text())

    return study


def test_what_a_study_says_is_kept_with_its_command(made, tmp_path):
    words, result = made("--with", "aid", "frelu", "--seeds", "3")
    assert "--no-together" in words
    assert words[words.index("--with") :][:3] == ["--with", "aid", "frelu"]
    assert result["metric"] == "nme"
    assert result["asked"][0].startswith("posekit ablate topdown-dark-tiny --data.train runs/light/mtfl5/kept.json")
    assert str(tmp_path) not in result["asked"][0]


def test_a_study_made_in_two_goes_keeps_both(made, tmp_path):
    made("--with", "aid", "frelu")
    _, result = made("--with", "okdhp")
    assert set(result["variants"]) == {"baseline", "aid", "frelu", "okdhp"}
    assert len(result["asked"]) == 2
    file = tmp_path / "light_mtfl5.json"
    result["variants"]["baseline"]["values"] = [7.0] * 3
    file.write_text(json.dumps(result))
    _, result = made("--with", "okdhp")
    assert set(result["variants"]) == {"baseline", "okdhp"}, "compared with another baseline"


def test_the_runs_of_an_earlier_call_are_not_made_again(made, tmp_path):
    made("--with", "aid", "--seeds", "3")
    runs = tmp_path / "light" / "mtfl5"
    assert not (runs / "aid-seed3").exists()
    words, result = made("--with", "frelu", "--seeds", "3", "4", "--technique-seeds", "3")
    assert words[words.index("--technique-seeds") :] == ["--technique-seeds", "3"]
    assert json.loads((runs / "aid-seed3" / "summary.json").read_text())["figures"] == {"nme": 1.0}
    assert result["taken"].keys() == {"aid-seed3"}
    assert result["variants"]["frelu"]["seeds"] == [3]
    _, result = made("--with", "okdhp", "--seeds", "5", "--train.lr", "1e-3")
    assert result["taken"] == {}, "trained with another rate"


@pytest.mark.parametrize("name", light.STUDIES)
def test_the_recipe_alone_is_taken_from_the_ladder_by_its_command(name, tmp_path, monkeypatch):
    study = light.STUDIES[name]
    setup = study.setup
    known = {"figures": {"nme": 0.1}, "main": "nme", "baselines": {}, "images_seen": 5, "commit": "abc"}

    def run(seed, *more):
        words = light.ladder_command(setup, [], study.recipe, tmp_path, seed, (*study.extra, *more))
        return {**known, "command": "posekit " + " ".join(words)}

    monkeypatch.setattr(
        light, "held", lambda _: ({study.method: run(0)}, {study.method: {"1": run(1, "--train.lr 1")}})
    )
    assert light.lay_down(study, (0, 1), tmp_path) == {"baseline-seed0": f"{study.ladder}.json, commit abc"}
    assert json.loads((tmp_path / "baseline-seed0" / "summary.json").read_text())["figures"] == {"nme": 0.1}
    assert not (tmp_path / "baseline-seed1").exists()


def test_the_epoch_that_figures_are_of(tmp_path):
    assert light.best_epoch(tmp_path, "nme_interocular") is None
    rows = [
        "epoch,images,val/nme_interocular,val/pck_torso@0.2",
        "1,10,0.3,0.1",
        "2,20,,",
        "3,30,0.1,0.4",
        "4,40,0.2,0.5",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(rows))
    assert light.best_epoch(tmp_path, "nme_interocular") == 3
    assert light.best_epoch(tmp_path, "pck_torso@0.2") == 4
