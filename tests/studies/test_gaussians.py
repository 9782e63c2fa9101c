"""Soft labels: what the mean of noisy labels is, how forms of the peak are decoded, and training on them."""

import pytest
import torch

from posekit.codecs.heatmap import gaussian_maps
from posekit.geometry.grid import Grid
from posekit.studies import gaussians


def test_the_mean_of_noisy_labels_is_a_wider_and_lower_peak_at_the_point():
    wanted = gaussians.noisy_peak(2.0, 1.5)
    assert wanted == pytest.approx({"sigma": 2.5, "height": 0.64})
    generator = torch.Generator().manual_seed(0)
    xy = 16.5 + 1.5 * torch.randn(1, 20000, 2, generator=generator)
    grid = Grid.of(image=(33, 33), stride=1)
    mean = gaussian_maps(xy, grid, 2.0, torch.ones(1, 20000))[0].mean(0)
    assert float(mean.max()) == pytest.approx(wanted["height"], abs=0.01)
    assert divmod(int(mean.argmax()), 33) == (16, 16)
    spread = ((mean.sum(0) / mean.sum()) * (torch.arange(33) - 16.0).square()).sum().sqrt()
    assert float(spread) == pytest.approx(wanted["sigma"], abs=0.05)


def test_forms_of_the_peak_without_and_with_noise():
    clean = {name: gaussians.decoded_errors(codec, 0.0, 512, 0) for name, codec in gaussians.forms().items()}
    # The nearest of cells of 4 px: 0.3826 of a cell on average.
    assert clean["single cell"] == clean["quantised"] == pytest.approx(1.53, rel=0.05)
    assert clean["unbiased"] < 0.02 and clean["ellipse"] < 0.02
    noisy = gaussians.decoded_errors(gaussians.of_width(0.5), 0.2, 512, 0)
    assert noisy > 2 * gaussians.decoded_errors(gaussians.of_width(1.5), 0.2, 512, 0)


def test_a_network_is_trained_on_noisy_labels_and_tested_on_exact_ones():
    found = gaussians.trained_error(gaussians.of_width(1.5), 2.0, 2, 0)
    assert found["error"] > 0 and found["height"] < 1
