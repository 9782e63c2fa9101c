"""The Python of the README runs as written, apart from the number of epochs; its commands, links and recipes exist."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.cli.main import COMMANDS
from posekit.data.synthetic import Synthetic
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES_PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """The files that the README names: labels.json, test.json, photos/ and photo.jpg."""
    people = Synthetic(SKELETONS["lsp14"], count=16, size=(96, 96))
    file = people.to_files(tmp_path)
    assert file.name == "labels.json"
    shutil.copy(file, file.with_name("test.json"))
    (file.parent / "photos").mkdir()
    for target in ("photo.jpg", "photos/1.jpg"):
        cv2.imwrite(str(file.parent / target), np.ascontiguousarray(people.image(0)[..., ::-1]))
    return file.parent


def test_the_python_in_readme_runs(folder, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert '"train.epochs": 60' in code
    monkeypatch.chdir(folder)
    names = {}
    exec(compile(code.replace('"train.epochs": 60', '"train.epochs": 1'), "README.md", "exec"), names)
    assert names["drawn"].dtype == np.uint8
    assert "left_wrist" in capsys.readouterr().out


def test_readme_is_one_screen():
    assert len(README.splitlines()) <= 80


def test_commands_of_the_readme_and_recipes_of_their_page_exist():
    for command in re.findall(r"(?:^|`)posekit (\w+)", README, re.MULTILINE):
        assert command in COMMANDS
    rows = "".join(re.findall(r"^\| `[a-z].*?\|", RECIPES_PAGE, re.MULTILINE))
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
