"""The benchmark of ideas for small networks asks for what `posekit ablate` understands, and keeps what it says."""

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
    recipe = RECIPES[light.RECIPE](FOUR, size=(64, 64))
    single, together = "--no-single" not in study.extra, "--no-together" not in study.extra
    found = variants(recipe, study.ideas, single=single, together=together)
    assert len(found) == 1 + single * len(study.ideas) + together


def test_what_a_study_says_is_kept_with_its_command(tmp_path, monkeypatch):
    asked = []

    def run(words, *, check, env):
        asked.append(words)
        (tmp_path / "light" / "mtfl5" / "ablation.json").write_text(json.dumps({"metric": "nme", "variants": {}}))

    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(light, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(light, "training_files", lambda setup, folder: [folder / "kept.json"])
    words = [
        "light",
        "mtfl5",
        "--root",
        str(tmp_path / "light"),
        "--with",
        "aid",
        "frelu",
        "--seeds",
        "3",
        "--no-together",
    ]
    monkeypatch.setattr(sys, "argv", words)
    light.main()
    assert "--no-together" in asked[0]
    assert asked[0][asked[0].index("--with") :][:3] == ["--with", "aid", "frelu"]
    result = json.loads((tmp_path / "light_mtfl5.json").read_text())
    assert result["metric"] == "nme"
    assert result["asked"].startswith("posekit ablate topdown-dark-tiny --data.train runs/light/mtfl5/kept.json")
    assert str(tmp_path) not in result["asked"]
