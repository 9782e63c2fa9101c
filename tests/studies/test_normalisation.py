"""Ranges of regressed coordinates."""

import math

import pytest
import torch
from torch import nn

from posekit.codecs.regression import Regression
from posekit.models.heads.pooled import Pooled
from posekit.studies import normalisation as study
from posekit.studies.discs import SIDE, Learner, Method, labels


def test_the_numbers_of_a_point_in_each_range():
    """Width 192, height 256, the pixel with index (50, 200)."""
    found = study.targets((256, 192), (50.5, 200.5))
    assert found["centred"] == pytest.approx([50.5 / 192 - 0.5, 200.5 / 256 - 0.5])
    assert found["unit"] == pytest.approx([value + 0.5 for value in found["centred"]])
    # DSNT's -0.473958 for the same pixel.
    assert found["signed"] == pytest.approx([2 * value for value in found["centred"]])
    assert found["signed"][0] == pytest.approx(-0.473958, abs=1e-6)


def test_published_weights_count_pixels_from_zero():
    codec = Regression(points=1, size=(256, 192), compat="ratio")
    coords = codec.encode(labels(torch.tensor([[50.5, 200.5]], dtype=torch.float64))).maps["coords"][0, 0]
    assert coords.tolist() == pytest.approx([-0.239583, 0.281250], abs=1e-6)


def test_a_zero_output_is_the_centre_or_a_corner():
    centred = study.start_error("centred", "centred objects", 4000, 0)
    # Uniform in a square of 0.4 sides: 0.3826 of that side from its centre; the corner is half a diagonal away.
    assert centred == pytest.approx(0.382598 * 0.4 * SIDE, rel=0.03)
    assert study.start_error("signed", "centred objects", 4000, 0) == pytest.approx(centred)
    assert study.start_error("unit", "centred objects", 4000, 0) == pytest.approx(math.sqrt(0.5) * SIDE, rel=0.03)


def test_initial_weights():
    def head(start):
        learner = Learner(Method(Regression(points=1, size=(SIDE, SIDE)), ("l1",), Pooled(cells=16)), 0)
        study._restart(learner, start, 0)
        return next(layer for layer in learner.net.head.modules() if isinstance(layer, nn.Linear))

    zero, small, default = (head(start) for start in study.STARTS)
    assert not zero.weight.any() and not zero.bias.any()
    assert 0 < float(small.weight.detach().std()) < 0.1 * float(default.weight.detach().std())


def test_steps_to_the_goal_are_counted_in_tens():
    found = study.steps_to_goal("centred", "centred objects", "zero", 12, 0)
    assert found["steps"] in (0.0, 10.0, math.inf) and found["first"] == pytest.approx(9.8, abs=1.5)
    results = {"most": 12, "runs": {"centred objects": {"zero": {"unit": [{"steps": None}, {"steps": 10.0}]}}}}
    assert study.steps(results, "centred objects", "zero", "unit") == math.inf
