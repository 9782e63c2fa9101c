"""Recipes with a depth give one for every point, and it is measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR
from stand_ins import predictor_of

from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import measure
from posekit.recipes import RECIPES

NAMES = [name for name in RECIPES if name.endswith("3d-tiny")]


def test_there_are_five():
    assert len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
def test_depth_reaches_the_user_and_the_figures(name):
    torch.manual_seed(0)
    recipe = RECIPES[name](FOUR, size=(64, 64), backbone="mobilenet_v3")
    drawn = Synthetic(FOUR, count=2, size=(48, 40), seed=1).dataset()
    rng = np.random.default_rng(0)
    dataset = replace(drawn, depth=rng.normal(size=drawn.visibility.shape).astype(np.float32))
    predictor = predictor_of(recipe.build(weights=False).eval(), recipe)
    sample = dataset.instance(0)
    (poses,) = predictor(sample.image, sample.instances.boxes)
    assert poses.depth.shape == (1, 4)
    assert np.isfinite(poses.depth).all()
    measured = measure(predictor, dataset)
    assert np.isfinite(measured.figures["depth_error"])
