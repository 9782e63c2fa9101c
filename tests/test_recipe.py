"""A recipe is one value: checked when made, the same after a trip through JSON, and clear about every fault."""

import json
from dataclasses import replace

import pytest
from figures import FOUR
from pydantic import ValidationError

from posekit.codecs.regression import Regression
from posekit.losses import LOSSES
from posekit.models.layers.frelu import FReLU
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.models.topdown import TopDown
from posekit.recipe import RecipeError, Train, decoding, dump, load, parse, save
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

SIZE = (64, 48)


def plain(**changes):
    return replace(RECIPES["topdown-regression-tiny"](FOUR, size=SIZE), **changes)


def changed(change):
    """The recipe's JSON after ``change`` edited it."""
    content = json.loads(dump(plain()))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize("name", RECIPES)
def test_json_gives_every_recipe_back(name, tmp_path):
    recipe = RECIPES[name](FOUR)
    assert parse(dump(recipe), "here") == recipe
    save(recipe, tmp_path / "recipe.json")
    assert load(tmp_path / "recipe.json") == recipe
    assert dump(load(tmp_path / "recipe.json")) == dump(recipe)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_of_the_users_points(name):
    recipe = RECIPES[name](FOUR)
    assert recipe.codec.points == 4
    assert recipe.skeleton is FOUR
    assert recipe.size == recipe.model.size == recipe.codec.image


def test_a_loss_that_does_not_fit_names_those_that_do():
    fitting = "needs \\['heatmap'\\], codec 'regression' gives \\['coords', 'xy'\\]; fitting: l1, smooth_l1, wing"
    with pytest.raises(ValidationError, match=fitting):
        plain(losses={"mse": LOSSES["mse"]()})


def test_no_loss_is_refused():
    with pytest.raises(ValidationError, match="no loss given; losses that fit codec 'regression': l1, smooth_l1, wing"):
        plain(losses={})


def test_a_codec_of_other_points_is_refused():
    with pytest.raises(ValidationError, match="made for 4 points, skeleton 'coco17' has 17"):
        plain(skeleton=SKELETONS["coco17"])


def test_a_codec_of_another_size_is_refused():
    with pytest.raises(ValidationError, match=r"codec is for images of \(32, 48\), model for \(64, 48\)"):
        plain(codec=Regression(points=4, size=(32, 48)))


@pytest.mark.parametrize(
    ("metric", "message"), [("pkc", "no metric 'pkc'; those that fit"), ("pck_torso@0.2", "needs the twelve")]
)
def test_a_metric_that_cannot_be_is_refused_before_anything_is_trained(metric, message):
    with pytest.raises(ValidationError, match=message):
        plain(metric=metric)
    assert plain(metric="nme_box").metric == "nme_box"


def test_all_faults_are_told_at_once():
    with pytest.raises(ValidationError, match=r"'coco17' has 17; loss 'mse' needs .*; no metric 'pkc'"):
        plain(skeleton=SKELETONS["coco17"], losses={"mse": LOSSES["mse"]()}, metric="pkc")
    with pytest.raises(ValidationError, match=r"(?s)epochs.*lr.*warmup"):
        Train(epochs=0, lr=-1.0, warmup=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["train"].update(epoch=3), r"^run/recipe.json: train\.epoch: Unexpected keyword argument"),
        (lambda c: c["model"]["backbone"].update(widht=1), r": model\.backbone\.widht: Unexpected"),
        (lambda c: c["losses"]["l1"].update(wieght=1), r": losses\.l1\.wieght: Unexpected"),
        (lambda c: c["codec"].update(kind="heatmp"), r": codec: Input tag 'heatmp'"),
        (lambda c: c.pop("skeleton"), r": skeleton: Field required"),
        (lambda c: c["losses"].update(l1={"kind": "mse"}), r": loss 'l1' needs \['heatmap'\]"),
        (
            lambda c: c.update(framing={"kind": "crop", "padding": -1}, seed=-2),
            r"framing.padding: Input should be greater than 0; seed: Input should be",
        ),
    ],
)
def test_json_is_answered_with_dotted_fields(change, message):
    with pytest.raises(RecipeError, match=message):
        parse(changed(change), "run/recipe.json")


def test_what_is_no_json_or_no_file_is_told(tmp_path):
    with pytest.raises(RecipeError, match="here: Invalid JSON"):
        parse('{"name": ', "here")
    with pytest.raises(RecipeError, match=r"there is no such file; the recipe of a run is recipe\.json"):
        load(tmp_path / "recipe.json")


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(AttributeError, match="seed"):
        plain().seed = 3


def test_a_codec_may_read_the_same_maps_in_another_way_but_not_others():
    recipe = RECIPES["topdown-simcc-tiny"](FOUR, size=(64, 64))
    assert decoding(recipe, ()) == recipe
    with pytest.raises(RecipeError, match=r"other output maps than the network has: train with --codec"):
        decoding(recipe, ["split=3.0"])
    dark = RECIPES["topdown-dark-tiny"](FOUR, size=(64, 64))
    assert decoding(dark, ["blur=60", "refine=parabola"]).codec == replace(dark.codec, blur=60.0, refine="parabola")


def test_an_frelu_starts_as_a_relu_in_a_backbone_with_weights_alone(monkeypatch):
    fresh = TopDown.build
    monkeypatch.setattr(TopDown, "build", lambda self, shapes, weights: fresh(self, shapes, weights=False))

    def gains(source, *, weights=True):
        recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 64))
        model = replace(recipe.model, backbone=replace(recipe.model.backbone, weights=source))
        layers = (
            replace(recipe, model=model, override=BackboneOverrides(activation="frelu"))
            .build(weights=weights)
            .modules()
        )
        return {gain for layer in layers if isinstance(layer, FReLU) for gain in layer.norm.weight.tolist()}

    assert gains(None) == {1.0}
    assert gains("published.pth") == {0.0}
    assert gains("published.pth", weights=False) == {1.0}
