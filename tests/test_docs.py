"""The reference page is what the code says, and README's figures are those of the result files."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pages_and_figures_are_fresh():
    words = [sys.executable, str(ROOT / "docs" / "build.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_decision_is_numbered_once_and_has_a_title():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [p.name[:3] for p in pages] == [f"{i:03d}" for i in range(1, len(pages) + 1)]
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:3]} ")
