"""The published runs: their names are fixed, every codec is among them, and misspelt words meet the nearest one."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR

from posekit.codecs import CODECS
from posekit.models.backbones import BACKBONES
from posekit.recipe import RecipeError
from posekit.recipes import RECIPES, SYSTEMS
from posekit.recipes.representations import REPRESENTATIONS, neighbours
from posekit.skeletons import SKELETONS

NAMES = (
    *("heatmap", "dark", "udp", "udp_combined", "openpose", "centernet", "ttfnet", "ellipse", "oks", "megvii"),
    *("heatmap3d", "integral", "integral3d", "dsnt", "regression", "regression3d", "grid", "ssd"),
    *("rle", "rle3d", "simcc", "simcc_smoothed", "simcc3d", "dfl"),
)
TINY = [name for name in RECIPES if name.startswith("topdown-") and name.endswith("-tiny")]


def test_no_recipe_drops_out_silently():
    topdown = [f"topdown-{name}{suffix}".replace("_", "-") for suffix in ("", "-tiny") for name in NAMES]
    assert list(RECIPES) == [*topdown, *(f"{name}{suffix}" for name in SYSTEMS for suffix in ("", "-tiny"))]


def test_every_codec_can_be_chosen():
    made = {RECIPES["topdown-dark"](FOUR, codec=name).codec.kind for name in REPRESENTATIONS}
    assert made == set(CODECS)
    assert set(REPRESENTATIONS) == set(NAMES)


def test_mirror_points_have_mirror_neighbours():
    for skeleton in SKELETONS.values():
        near = neighbours(skeleton)
        assert all(skeleton.flip[near[k]] == near[other] for k, other in enumerate(skeleton.flip) if near[k] >= 0)
        assert all(near[k] >= -1 and near[k] != k for k in range(len(near)))
    assert neighbours(SKELETONS["lsp14"])[:3] == (1, 0, 1)


def test_a_loss_that_the_skeleton_leaves_out_is_not_among_the_defaults():
    bare = replace(FOUR, bones=())
    assert list(RECIPES["topdown-openpose-tiny"](FOUR).losses) == ["mse", "paf"]
    assert list(RECIPES["topdown-openpose-tiny"](bare).losses) == ["mse"]


def test_a_recipe_carries_its_name():
    assert {name: make(FOUR).name for name, make in RECIPES.items()} == {name: name for name in RECIPES}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"codec": "heatmpa"}, "no codec 'heatmpa'; did you mean 'heatmap'\\?$"),
        ({"losses": ["mse", "smoth_l1"]}, "no loss 'smoth_l1'; did you mean 'smooth_l1'\\?"),
        ({"backbone": "resnte"}, "no backbone 'resnte'; did you mean 'resnet'\\?"),
        ({"backbone": "qqq"}, "no backbone 'qqq'; known: resnet, mob"),
        ({"losses": ["rle"]}, "loss 'rle' needs .*fitting: mse, ohkm"),
    ],
)
def test_unknown_and_unfit_words_are_answered(words, message):
    with pytest.raises(RecipeError, match=message):
        RECIPES["topdown-dark-tiny"](FOUR, **words)


def test_a_loss_named_twice_is_refused():
    with pytest.raises(ValueError, match=r"losses \['mse'\] are named twice: .*--losses.mse.weight"):
        RECIPES["topdown-dark-tiny"](FOUR, losses=["mse", "ohkm", "mse"])


@pytest.mark.parametrize(
    ("recipe", "losses", "activation"),
    [
        ("topdown-dark-tiny", ["mse"], "none"),
        ("topdown-dark-tiny", ["qfl", "mse"], "sigmoid"),
        ("topdown-heatmap-tiny", ["focal"], "sigmoid"),
    ],
)
def test_a_loss_of_logits_gets_them(recipe, losses, activation):
    made = RECIPES[recipe](FOUR, losses=losses)
    assert made.codec.activation == activation
    assert list(made.losses) == losses


def test_maps_without_exact_ones_are_refused_to_the_focal_loss():
    with pytest.raises(RecipeError, match=r"loss 'focal' needs \['peaks'\]"):
        RECIPES["topdown-dark-tiny"](FOUR, losses=["focal"])


def test_a_stride_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="stride"):
        RECIPES["topdown-dark-tiny"](FOUR, size=(64, 50))


def test_words_change_what_they_name():
    recipe = RECIPES["topdown-dark-tiny"](FOUR, size=(96, 64), stride=8, losses=["ohkm"], backbone="mobilenet_v3")
    assert recipe.size == (96, 64)
    assert recipe.codec.shapes == {"heatmap": (4, 12, 8)}
    assert list(recipe.losses) == ["ohkm"]
    assert recipe.model.backbone == BACKBONES["mobilenet_v3"]()


def test_a_backbone_of_timm_is_named_after_the_colon():
    backbone = RECIPES["topdown-dark-tiny"](FOUR, backbone="timm:convnext_tiny").model.backbone
    assert (backbone.kind, backbone.name) == ("timm", "convnext_tiny")


@pytest.mark.parametrize("name", TINY)
def test_the_network_gives_the_maps_of_the_codec(name):
    recipe = RECIPES[name](FOUR, size=(64, 96))
    net = recipe.build().eval()
    with torch.inference_mode():
        maps = net(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    assert {k: tuple(v.shape[1:]) for k, v in maps.items()} == {k: tuple(v) for k, v in recipe.codec.shapes.items()}
    assert recipe.codec.decode(maps).xy.shape == (2, 1, 4, 2)
