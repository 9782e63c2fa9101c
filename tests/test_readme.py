"""README's Python runs as it stands, on a model named as there."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.cli.main import COMMANDS, main
from posekit.data.synthetic import Synthetic
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def demo(tmp_path):
    """A run's folder called demo, of the skeleton that the demo has, and a photo."""
    drawn = Synthetic(SKELETONS["lsp14"], count=16, size=(96, 96))
    file = drawn.to_files(tmp_path / "data")
    words = ["train", "topdown-dark-tiny", "--data.train", str(file), "--out", str(tmp_path / "demo")]
    assert main([*words, "--size", "64", "64", "--train.epochs", "1", "--device", "cpu"]) == 0
    cv2.imwrite(str(tmp_path / "photo.jpg"), np.ascontiguousarray(drawn.image(0)[..., ::-1]))
    return tmp_path


def test_the_python_in_readme_runs(demo, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    monkeypatch.chdir(demo)
    exec(compile(code, "README.md", "exec"), {})
    assert cv2.imread("drawn.png") is not None
    assert "[" in capsys.readouterr().out


def test_commands_and_recipes_in_readme_exist():
    for command in re.findall(r"^posekit (\w+)", README, re.MULTILINE):
        assert command in COMMANDS
    # First columns of the tables of recipes; those of measured figures have the -tiny forms.
    rows = "".join(re.findall(r"^\| `[a-z].*?\|", README, re.MULTILINE))
    named = {name for name in re.findall(r"`([\w-]+)`", rows) if not name.endswith("-tiny")}
    assert named == {name for name in RECIPES if not name.endswith("-tiny")} | {"mtcnn"}


def test_every_picture_and_link_in_readme_is_there():
    for target in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_named_in_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert shutil.which("make")
