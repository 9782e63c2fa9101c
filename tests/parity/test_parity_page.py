"""`docs/parity.md` names what the tests compare, and the stored answers are those of the versions it names."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from parity_table import HERE, PAGE, limits

TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("test_*.py"))}
FILES = {
    "mmpose": "MMPose",
    "mmpose_maps": "MMPose",
    "mmpose_losses": "MMPose",
    "mmdet": "MMDetection",
    "dsntnn": "dsntnn",
    "kornia": "kornia",
}


def by_name() -> dict[str, ast.AST]:
    """Every test by its name, with the file it stands in."""
    return {
        node.name: tree
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_the_page_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 40 and named <= set(by_name())


def test_every_row_is_compared_by_the_test_it_names():
    page, there = PAGE.read_text(encoding="utf-8"), by_name()
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `(test_\w+)` \| \S+ [a-z]+ \|$", page, flags=re.MULTILINE)
    assert len(rows) == len(limits()) > 40
    for row, test in rows:
        words = [n.value for n in ast.walk(there[test]) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        # A name may be put together from a word and a parameter of the test.
        assert row in words or (row.split()[0] + " " in words and row.split()[1] in words), (row, test)


def test_every_comparison_has_a_row():
    asked = {
        call.args[0].value
        for tree in TREES.values()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("agrees", "compare")
        if isinstance(call.args[0], ast.Constant)
    }
    assert len(asked) > 40 and asked <= set(limits())


@pytest.mark.parametrize("name", FILES)
def test_goldens_are_small_and_of_the_version_named(name):
    path = HERE / f"goldens_{name}.npz"
    assert path.stat().st_size < 50_000
    with np.load(path) as stored:
        assert f"| {FILES[name]} | {stored['version']} |" in PAGE.read_text(encoding="utf-8")


def test_no_golden_file_goes_unused():
    assert {path.name for path in HERE.glob("*.npz")} == {f"goldens_{name}.npz" for name in FILES}
