"""Recipes and configs of weights changed at random: each is read, or refused by the error that its reader promises."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from figures import FOUR
from mutations import as_json, changed, damaged

from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import Cascade
from posekit.recipe import Recipe, RecipeError, dump, load
from posekit.recipes import RECIPES
from posekit.zoo.cascade import STAGES, save_cascade_config
from posekit.zoo.errors import WeightsError
from posekit.zoo.mtcnn import load_mtcnn, save_stage
from posekit.zoo.weights import load_weights, save_weights

FEW, MANY = 60, 20_000
RECIPE = "topdown-dark-tiny"


def recipe() -> Recipe:
    return RECIPES[RECIPE](FOUR, size=(64, 64))


def changed_json(content: Any, draw: random.Random) -> bytes:
    if draw.random() < 0.8:
        return as_json(changed(content, draw))
    return damaged(as_json(content), draw)


def recipes(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """A recipe.json, of one of several systems."""
    contents = [
        json.loads(dump(RECIPES[name](FOUR, size=(64, 64)))) for name in (RECIPE, "topdown-simcc", "centernet-tiny")
    ]
    file = folder / "recipe.json"
    return lambda: _written(file, changed_json(draw.choice(contents), draw))


def weights(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """A folder of weights whose config.json is changed each time."""
    torch.manual_seed(0)
    save_weights(folder, recipe().build(), recipe(), {"pck@0.2": 0.5})
    file = folder / "config.json"
    content = json.loads(file.read_bytes())
    return lambda: _written(file, changed_json(content, draw))


def cascades(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """The folder of a cascade whose config.json is changed each time."""
    nets = Nets.drawn()
    for stage in STAGES:
        save_stage(folder, stage, getattr(nets, stage))
    save_cascade_config(folder, Cascade(), {"metrics": {"AP": 0.5}})
    file = folder / "config.json"
    content = json.loads(file.read_bytes())
    return lambda: _written(file, changed_json(content, draw))


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


READERS: dict[str, tuple[Callable[..., Callable[[], Path]], Callable[[Path], Any], type[Exception]]] = {
    "recipe": (recipes, load, RecipeError),
    "weights": (weights, lambda file: load_weights(file.parent), WeightsError),
    "cascade": (cascades, lambda file: load_mtcnn(file.parent), WeightsError),
}


def tried(make: Callable[[], Path], read: Callable[[Path], Any], promised: type[Exception], count: int) -> list[str]:
    """What went otherwise than it should, of so many files."""
    wrong = []
    for number in range(count):
        file = make()
        try:
            read(file)
        except promised as error:
            if "\n" in str(error) or str(file.parent) not in str(error):
                wrong.append(f"file {number}: message {str(error)[:300]!r}")
        except Exception as error:  # whatever it is, it is reported
            wrong.append(f"file {number}: {type(error).__name__}: {str(error)[:200]}")
    return wrong


@pytest.mark.parametrize("name", READERS)
def test_a_few_changed_files_are_read_or_refused(name, tmp_path):
    files, read, promised = READERS[name]
    assert tried(files(tmp_path, random.Random(f"{name} few")), read, promised, FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_changed_files_are_read_or_refused(name, tmp_path):
    files, read, promised = READERS[name]
    wrong = tried(files(tmp_path, random.Random(name)), read, promised, MANY)
    assert wrong == [], f"{len(wrong)} of {MANY}"
