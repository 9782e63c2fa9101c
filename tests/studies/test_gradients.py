"""Where losses send their gradient."""

import pytest
import torch

from posekit.studies import gradients
from posekit.studies.discs import STRIDE, Learner, methods


def test_the_gradient_of_a_decoded_coordinate_is_its_closed_form():
    found = gradients.exact_gradient()
    assert found["difference"] < 1e-15 and found["sum"] < 1e-14 and found["largest"] > 1e-4
    assert found["argmax"] == 0


def test_the_share_near_the_object_is_measured_on_every_map():
    cells = gradients.CELLS
    maps = torch.zeros(3, cells, cells)
    # All of it at the object, all of it elsewhere, none at all: the last is left out.
    maps[0, 5, 4] = 2.0
    maps[1, 15, 15] = 1.0
    xy = torch.tensor([[4.5, 5.5]] * 3) * STRIDE
    assert gradients.share_near(maps, xy) == pytest.approx(0.5)
    anywhere = (4 + 8 * torch.rand(500, 2, generator=torch.Generator().manual_seed(0))) * STRIDE
    assert gradients.share_near(torch.ones(500, cells, cells), anywhere) == pytest.approx(gradients.AREA, rel=0.02)


@pytest.mark.parametrize("name", gradients.COMPARED)
def test_gradients_reach_the_features_of_every_representation(name):
    generator = torch.Generator().manual_seed(0)
    image, xy = gradients._draw(generator, 4)
    maps = gradients.gradient_maps(Learner(methods()[name], 0), image, xy)
    assert maps.shape == (4, gradients.CELLS, gradients.CELLS)
    assert maps.isfinite().all() and (maps.sum((1, 2)) > 0).all()


def test_heatmap_matching_is_better_aimed_than_a_fully_connected_layer_before_training():
    heatmap, flat = (gradients.measured(name, 0, 0)["early"]["share"] for name in ("heatmap", "fully connected"))
    assert heatmap > 0.5 > 2 * gradients.AREA > flat
