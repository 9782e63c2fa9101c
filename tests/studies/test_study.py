"""How a study is run: its files, its page, and where it was measured."""

import json
from types import SimpleNamespace

import pytest
import torch

from posekit.studies import study as module
from posekit.studies.findings import Finding, paragraphs
from posekit.visualize.report import Table


def tiny(holds=True):
    """A study without any work."""
    return SimpleNamespace(
        CLAIM="Two is more than one.",
        run=lambda quick, seed: {"quick": quick, "seed": seed, "threads": torch.get_num_threads()},
        plot=lambda results, file: file.write_text("<svg/>"),
        table=lambda results: Table("Numbers", ("a", "b"), [["1", "2"]]),
        verdict=lambda results: paragraphs([Finding(holds, "It is", f"seed {results['seed']}")]),
    )


def test_a_study_writes_numbers_picture_and_page(tmp_path):
    before = torch.get_num_threads()
    told, files = module.carry_out("tiny", tiny(), tmp_path / "new", quick=True, seed=3)
    assert [file.name for file in files] == ["tiny.json", "tiny.svg", "tiny.md"]
    assert json.loads(files[0].read_text()) == told
    assert told["results"] == {"quick": True, "seed": 3, "threads": 1}
    assert torch.get_num_threads() == before
    assert told["command"] == "posekit study tiny --quick --seed 3"
    assert files[1].read_text() == "<svg/>"
    page = files[2].read_text()
    assert page.startswith("# `tiny`\n\nTwo is more than one.\n\n![Two is more than one.](tiny.svg)\n")
    assert "**Holds here.** It is (seed 3).\n\n**Does not hold here.** None of the statements tested." in page
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in page and "(quick form, " in page


def test_a_statement_moves_to_the_other_paragraph_when_it_fails():
    said = tiny(False).verdict({"seed": 0})
    assert said == "**Holds here.** None of the statements tested.\n\n**Does not hold here.** It is (seed 0)."


def test_threads_come_back_when_a_study_fails(tmp_path):
    broken = tiny()

    def run(quick, seed):
        raise ValueError("no")

    broken.run = run
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="no"):
        module.carry_out("tiny", broken, tmp_path, quick=True, seed=0)
    assert torch.get_num_threads() == before


def test_the_commit_is_that_of_the_checkout_or_the_version(monkeypatch, tmp_path):
    assert len(module.commit()) == 12 or module.commit().startswith("posekit ")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "study.py"))
    assert module.commit().startswith("posekit ")
