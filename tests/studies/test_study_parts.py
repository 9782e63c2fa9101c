"""Parts of a study that are kept while it runs."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from posekit.studies.parts import part, parts_in
from posekit.studies.study import carry_out
from posekit.visualize.report import Table

OF = {"study": "tiny", "seed": 0}


@pytest.fixture
def counted(monkeypatch):
    """A part that says how often it was computed, and a list of what was said."""
    monkeypatch.setattr("posekit.studies.parts.LONG", 0.0)
    calls = []

    @part
    def measured(name, size, sets, seed):
        calls.append(name)
        return {"errors": np.array([1.5, float(seed)]), "sets": len(sets)}

    return measured, calls, []


def test_an_interrupted_study_goes_on(counted, tmp_path):
    measured, calls, said = counted
    file = tmp_path / "out" / "tiny.part.jsonl"
    with pytest.raises(KeyboardInterrupt), parts_in(file, OF, said.append):
        first = measured("dark", (4, 8), [1, 2], 3)
        raise KeyboardInterrupt
    assert first == {"errors": [1.5, 3.0], "sets": 2}
    assert said[0].startswith("measured: name dark, size 4x8, seed 3, ") and "1 part in" in said[1]
    with file.open("a") as cut_off:
        cut_off.write('["measured: name rle, size 4x8, seed 3", {"err')
    with parts_in(file, OF, said.append):
        assert measured("dark", (4, 8), [1, 2], 3) == first
        measured("rle", (4, 8), [1, 2], 3)
        assert json.loads(file.read_text().partition("\n")[0]) == OF
    assert calls == ["dark", "rle"] and "1 part finished before" in said[2]
    assert not file.exists()


def test_parts_of_another_run_are_not_taken(counted, tmp_path):
    measured, calls, said = counted
    file = tmp_path / "tiny.part.jsonl"
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt), parts_in(file, {**OF, "seed": seed}, said.append):
            measured("dark", 4, [], 0)
            raise KeyboardInterrupt
    assert calls == ["dark", "dark"] and not any("before" in line for line in said)
    old = tmp_path / "tiny.part.jsonl.old"
    assert json.loads(old.read_text().splitlines()[0]) == OF and "measured: name dark" in old.read_text()
    assert any(
        "holds parts of another run and is now tiny.part.jsonl.old" in line and '"seed": 1' in line for line in said
    )


@pytest.mark.parametrize("bad", [b"{bad", b"[1, 2]", b'["one"]', b"7", b"\xff\xfe", b""])
def test_damaged_lines_and_those_behind_are_computed_again(counted, tmp_path, bad):
    measured, calls, said = counted
    file = tmp_path / "tiny.part.jsonl"
    with pytest.raises(KeyboardInterrupt), parts_in(file, OF, said.append):
        for name in ("dark", "rle", "dsnt"):
            measured(name, 4, [], 0)
        raise KeyboardInterrupt
    first, dark, _, dsnt = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join((first, dark, bad, dsnt, b"")))
    with parts_in(file, OF, said.append):
        for name in ("dark", "rle", "dsnt"):
            measured(name, 4, [], 0)
    assert calls == ["dark", "rle", "dsnt", "rle", "dsnt"] and any("1 part finished before" in line for line in said)


def test_two_at_a_time_both_end(counted, tmp_path):
    measured, _, said = counted
    file = tmp_path / "tiny.part.jsonl"
    with parts_in(file, OF, said.append), parts_in(file, OF, said.append):
        measured("dark", 4, [], 0)
    assert not file.exists()


def test_outside_a_study_nothing_is_kept(counted):
    measured, calls, _ = counted
    assert measured("dark", 4, [], seed=0) == measured("dark", 4, [], seed=0) == {"errors": [1.5, 0.0], "sets": 0}
    assert len(calls) == 2


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="holds a set, which JSON cannot hold"):
        part(lambda: {1, 2})()


def test_a_study_that_fails_is_not_computed_again(counted, tmp_path, capsys):
    measured, calls, _ = counted
    ends = [ValueError("no memory"), None]

    def run(quick, seed):
        found = measured("dark", 4, [], seed)
        if error := ends.pop(0):
            raise error
        return found

    study = SimpleNamespace(
        CLAIM="Some.",
        run=run,
        plot=lambda results, file: file.write_text(""),
        table=lambda results: Table("t", ("a",), [["b"]]),
        verdict=lambda results: "Holds.",
    )
    with pytest.raises(ValueError, match="no memory"):
        carry_out("tiny", study, tmp_path, quick=True, seed=2)
    told, files = carry_out("tiny", study, tmp_path, quick=True, seed=2)
    assert told["results"] == {"errors": [1.5, 2.0], "sets": 0} and calls == ["dark"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    assert "1 part finished before" in capsys.readouterr().out
