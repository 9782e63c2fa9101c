"""Trained models of every kind with fewer channels: loaded again they say the same."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR

from posekit.models.compress.count import count_macs
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.recipes import RECIPES
from posekit.zoo.structured import thinned
from posekit.zoo.weights import load_weights, save_weights

pytestmark = pytest.mark.slow
pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 'posekit[prune]'")

SIZE = (128, 96)


def saved(folder, name, **fields):
    torch.manual_seed(0)
    recipe = replace(RECIPES[name](FOUR, size=SIZE), **fields)
    save_weights(folder, recipe.build(), recipe, {})
    return folder


@pytest.mark.parametrize("name", ["centernet", "ttfnet", "fcos", "directpose", "fcpose", "dekr", "topdown-rle"])
def test_models_of_every_kind(name, tmp_path):
    before = saved(tmp_path / "before", f"{name}-tiny")
    made = thinned(before, 0.6)
    save_weights(tmp_path / "after", made.net, made.recipe, made.spec.figures)
    loaded, whole = load_weights(tmp_path / "after"), load_weights(before)
    assert 0.54 <= count_macs(loaded.net, SIZE) / count_macs(whole.net, SIZE) <= 0.6
    image = torch.rand(2, 3, *SIZE) * 255
    with torch.no_grad():
        expected, found = made.net(image), loaded.net(image)
        assert {key: value.shape for key, value in whole.net(image).items()} == {
            key: value.shape for key, value in found.items()
        }
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


@pytest.mark.parametrize("activation", ["prelu", "silu", "frelu"])
def test_other_activations_are_cut_too(activation, tmp_path):
    made = thinned(
        saved(tmp_path / "before", "topdown-rle-tiny", override=BackboneOverrides(activation=activation)), 0.6
    )
    assert made.recipe.pruned


def test_activations_that_cannot_be_cut_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"cannot describe .* other activations"):
        thinned(saved(tmp_path / "before", "topdown-rle-tiny", override=BackboneOverrides(activation="meta_acon")), 0.6)
