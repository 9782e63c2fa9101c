"""Numbers for each point beside the maps of a head."""

import pytest
import torch
from figures import FOUR
from torch.nn import functional as F

from posekit.models.heads.logits import Logits
from posekit.recipes import RECIPES
from posekit.recipes.visibility import with_visibility


@pytest.mark.parametrize("size", [(4, 6), (3, 5), (1, 2), (1, 1)])
def test_a_linear_layer_of_the_means_of_quarters(size):
    torch.manual_seed(0)
    head = Logits({"one": 5, "other": 3}, channels=7)
    coarse = torch.randn(2, 7, *size)
    found = head([torch.randn(2, 4, 9, 9), coarse])
    quarters = F.adaptive_avg_pool2d(coarse, 2).flatten(1)
    for name, count in (("one", 5), ("other", 3)):
        assert found[name].shape == (2, count)
        torch.testing.assert_close(found[name], head.points[name](quarters))


def test_close_to_nothing_at_first():
    head = Logits({"one": 5}, channels=64)
    assert head([torch.randn(8, 64, 4, 4)])["one"].abs().max() < 0.1


@pytest.mark.parametrize("kind", ["dark", "simcc", "regression"])
def test_only_shapes_without_cells_are_its_own(kind):
    recipe = with_visibility(RECIPES[f"topdown-{kind}-tiny"](FOUR, size=(64, 64)))
    net = recipe.build(weights=False).eval()
    image = torch.zeros(2, 3, 64, 64)
    with torch.no_grad():
        maps = net(image)
        features = net.backbone(net.normalize(image))
    assert {name: tuple(value.shape[1:]) for name, value in maps.items()} == dict(recipe.full_codec.shapes)
    assert set(net.head(net.neck(features))) == set(recipe.codec.shapes)
    plain = recipe.model.build(recipe.codec.shapes, weights=False)
    assert plain.logits is None
