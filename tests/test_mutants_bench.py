"""The mutation check changes a copy and puts it back; a mutant that no longer fits is refused."""

import importlib
import os

import pytest

from benchmarks.mutant_table import Mutant
from benchmarks.mutants import ELSEWHERE, FAILED, MUTANTS, PASSED, TableError, applied, fault_of


@pytest.fixture
def copy(tmp_path):
    """A package of one file."""
    folder = tmp_path / "posekit"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "add.py").write_text("a = 1 + 2\nb = 1 - 2\n")
    os.utime(folder / "add.py", ns=(10**18, 10**18))
    return tmp_path


def test_a_mutant_is_applied_and_taken_back(copy):
    file = copy / "posekit" / "add.py"
    before = file.read_text()
    with pytest.raises(KeyError), applied(Mutant("add.py", "1 + 2", "1 * 2", ""), copy):
        assert file.read_text() == "a = 1 * 2\nb = 1 - 2\n"
        assert file.stat().st_mtime_ns != 10**18
        raise KeyError
    assert file.read_text() == before
    assert file.stat().st_mtime_ns == 10**18


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("add.py", "1 +", "1 +", r"add\.py should hold once, and the mutant change, '1 \+'; found 1 times"),
        ("add.py", "= 1", "= 2", "found 2 times"),
        ("add.py", "= 3", "= 2", "found 0 times"),
        ("sum.py", "= 3", "= 2", "found 0 times"),
    ],
)
def test_a_mutant_that_does_not_fit_is_refused(copy, file, old, new, message):
    with pytest.raises(TableError, match=message), applied(Mutant(file, old, new, ""), copy):
        pass
    assert "found" in fault_of(Mutant(file, old, new, ""), copy)


@pytest.mark.slow
def test_tests_run_against_the_copy(copy):
    # Other tests drop the benchmarks from `sys.modules`; a process finds the function in the module that is there.
    run_tests = importlib.import_module("benchmarks.mutants").run_tests
    folder = copy / "tests"
    folder.mkdir()
    (folder / "test_add.py").write_text("from posekit.add import a\n\n\ndef test_a():\n    assert a == 3\n")
    (folder / "test_other.py").write_text("def test_nothing():\n    pass\n")
    assert run_tests(copy, ["test_add.py"])[0] == PASSED
    with applied(Mutant("add.py", "1 + 2", "1 * 2", ""), copy):
        code, printed = run_tests(copy, ["test_add.py"], "-x")
    assert code == FAILED
    assert "assert 2 == 3" in printed
    assert run_tests(copy, ["test_other.py"])[0] == ELSEWHERE
    assert run_tests(copy, ["test_missing.py"])[0] not in (PASSED, FAILED)


def test_no_mutant_stands_twice():
    assert len(set(MUTANTS)) == len(MUTANTS) > 60
