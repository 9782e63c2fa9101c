"""Each technique is one change of a recipe; together they make a recipe too."""

from dataclasses import fields

import pytest
import torch

from posekit.recipe import Recipe, RecipeError, dump, parse
from posekit.recipes import RECIPES
from posekit.recipes.techniques import TECHNIQUES, with_techniques
from posekit.skeletons import SKELETONS

SKELETON = SKELETONS["lsp14"]
TOUCHES = {
    "aid": {"augment"},
    "hide_and_seek": {"augment"},
    "grid_mask": {"augment"},
    "half_body": {"augment"},
    "silu": {"override"},
    "hardswish": {"override"},
    "mish": {"override"},
    "frelu": {"override"},
    "meta_acon": {"override"},
    "dynamic": {"override"},
    "condconv": {"override"},
    "guided": {"model"},
    "okdhp": {"distill"},
    "netaug": {"netaug"},
    "bone": {"losses"},
    "auto_weight": {"auto_weight"},
    "qfl": {"losses", "codec"},
    "eqfl": {"losses", "codec"},
    "teacher": {"distill"},
    "clean": {"distill"},
}
SUITS = {"bone": "topdown-dsnt-tiny", "auto_weight": "topdown-dfl-tiny"}


def recipe(name="topdown-dark-tiny"):
    return RECIPES[name](SKELETON, size=(64, 64), backbone="mobilenet_v2")


def test_every_switch_is_told_about():
    assert set(TECHNIQUES) == set(TOUCHES)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_switch_changes_its_part_and_no_other(name):
    before = recipe(SUITS.get(name, "topdown-dark-tiny"))
    after = with_techniques(before, f"{name}:there.json" if TECHNIQUES[name].takes else name)
    changed = {field.name for field in fields(Recipe) if getattr(before, field.name) != getattr(after, field.name)}
    assert changed == TOUCHES[name]
    assert parse(dump(after), "here") == after


def test_all_that_fit_go_together():
    words = ("aid", "frelu", "dynamic", "guided", "okdhp", "netaug", "eqfl", "half_body")
    made = with_techniques(recipe(), *words)
    with torch.no_grad():
        maps = made.build().eval()(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert maps["heatmap"].shape[1] == 14


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("topdown-dark-tiny", ("okdph",), "did you mean 'okdhp'"),
        ("topdown-dark-tiny", ("teacher",), "written teacher:SOURCE"),
        ("topdown-dark-tiny", ("aid:x",), "written aid"),
        ("topdown-dark-tiny", ("bone",), "needs \\['xy'\\]"),
        ("topdown-dark-tiny", ("auto_weight",), "need two losses or more"),
        ("topdown-dark-tiny", ("okdhp", "teacher:x"), "can have one distillation"),
        ("topdown-regression-tiny", ("guided",), "none"),
    ],
)
def test_what_does_not_fit_is_said(name, words, said):
    with pytest.raises(RecipeError, match=said):
        with_techniques(recipe(name), *words)


@pytest.mark.parametrize("words", [("teacher:a.json", "clean:a.json"), ("clean:a.json", "teacher:a.json")])
def test_one_file_teaches_and_cleans(words):
    distillation = with_techniques(recipe(), *words).distill
    assert (distillation.points, distillation.outliers) == (1.0, 0.0)
    with pytest.raises(RecipeError, match="can have one distillation"):
        with_techniques(recipe(), words[0], words[1].replace("a.json", "b.json"))


@pytest.mark.parametrize(("name", "scale"), [("regression", 1.0), ("integral", 1.0), ("dsnt", 48.0), ("rle", 48.0)])
def test_bones_are_in_the_unit_of_the_recipes_losses(name, scale):
    """Pixels beside a loss in pixels, half of the image beside one in other units."""
    recipe = RECIPES[f"topdown-{name}-tiny"](SKELETON, size=(96, 64))
    assert with_techniques(recipe, "bone").losses["bone"].scale == scale
