"""`posekit codecs` as a person uses it."""

import json

import pytest

from posekit.cli.main import main
from posekit.recipes.representations import REPRESENTATIONS

SMALL = ["codecs", "--tiny", "--size", "64", "64"]


def test_the_table_names_every_representation_once_and_its_paper(capsys):
    assert main([*SMALL, "--points", "4"]) == 0
    out = capsys.readouterr().out
    assert "4 points, crops of 64x64" in out
    rows = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert all(rows.count(name) == 1 for name in REPRESENTATIONS)
    (paper,) = [line for line in out.splitlines() if line.endswith(": Li et al. 2022, arXiv:2107.03332")]
    assert "simcc" in paper.partition(":")[0].split(", ")
    assert "cannot be made" not in out


def test_json_is_json_and_holds_the_figures(capsys):
    assert main([*SMALL, "--skeleton", "face5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {k: said[k] for k in ("skeleton", "points", "size", "form")} == {
        "skeleton": "face5",
        "points": 5,
        "size": [64, 64],
        "form": "tiny",
    }
    rows = {row["name"]: row for row in said["codecs"]}
    assert list(rows) == list(REPRESENTATIONS)
    assert rows["simcc"]["shapes"] == {"x": [5, 128], "y": [5, 128]}
    assert rows["simcc"]["head"]["macs"] == 5 * (256 * 4 + 4 * (128 + 128))


def test_what_cannot_be_made_is_shown_with_the_reason(capsys):
    assert main(["codecs", "--tiny", "--size", "64", "60"]) == 0
    out = capsys.readouterr().out
    reasons = [line.partition(" cannot be made: ") for line in out.splitlines() if " cannot be made: " in line]
    assert {name for who, _, _ in reasons for name in who.split(", ")} == set(REPRESENTATIONS)
    assert any("needs multiples of 32: use 64x64" in why for _, _, why in reasons)


def test_a_narrow_terminal_gets_fewer_columns(capsys, monkeypatch):
    monkeypatch.setattr("posekit.cli.codecs.WIDE", 80)
    assert main([*SMALL, "--points", "4"]) == 0
    head = capsys.readouterr().out.split("dark")[0]
    assert "MACs" in head
    assert "weights" not in head


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--skeleton", "hnd21"], "no skeleton 'hnd21'; did you mean 'hand21'?"),
        (["--skeleton", "hand21", "--points", "4"], "give one of them"),
        (["--points", "-1"], "--points must be at least 1; got -1"),
    ],
)
def test_wrong_words_are_one_line(words, told, capsys):
    assert main(["codecs", *words]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
