"""`posekit study`: the list, one study, and wrong names."""

import json

from posekit.cli.main import main
from posekit.studies.catalogue import STUDIES


def test_without_a_name_the_studies_are_listed_with_their_claims(capsys):
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    for name, study in STUDIES.items():
        assert name in said and study.CLAIM in said


def test_help_names_the_options(capsys):
    assert main(["study", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--quick", "--out DIR", "--seed N"))


def test_a_study_is_run_and_its_verdict_printed(tmp_path, capsys):
    assert main(["study", "quantisation", "--quick", "--out", str(tmp_path), "--seed", "2"]) == 0
    said = capsys.readouterr().out
    assert "Holds here." in said and "Does not hold here." in said and "quantisation.json" in said
    assert json.loads((tmp_path / "quantisation.json").read_text())["seed"] == 2
    assert (tmp_path / "quantisation.svg").exists() and (tmp_path / "quantisation.md").exists()


def test_an_unknown_name_gets_the_nearest(capsys):
    assert main(["study", "quantization"]) == 1
    assert "no study 'quantization'; did you mean 'quantisation'?" in capsys.readouterr().err
