"""SimCC's bins against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import instances

from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import Grid, RatioGrid

SIZE = (256, 192)


def at(x, y=100.0):
    """Pixel index (x, y) as a location in image pixels."""
    return instances(torch.tensor([[[[x + 0.5, y + 0.5]]]], dtype=torch.float64))


def test_smoothed_bins():
    codec = SimCC(points=1, size=SIZE, target="smoothed", compat="ratio")
    x = codec.encode(at(57.3)).maps["x"].flatten()
    assert codec.shapes == {"x": (1, 384), "y": (1, 512)}
    assert x.argmax() == 115
    assert x[115].item() == pytest.approx(0.9)
    assert x[0].item() == pytest.approx(2.610966e-4, abs=1e-9)
    assert x.sum().item() == pytest.approx(1)


def test_gaussian_bins():
    # Sigma 3 pixels are 6 bins; the centre is never rounded.
    codec = SimCC(points=1, size=SIZE, sigma=3.0, compat="ratio")
    x = codec.encode(at(57.0)).maps["x"].flatten() * 6 * math.sqrt(2 * math.pi)
    assert x[114].item() == pytest.approx(1)
    assert x[120].item() == pytest.approx(0.606531, abs=1e-6)
    assert x.sum().item() == pytest.approx(15.039770, abs=1e-6)
    x = codec.encode(at(57.3)).maps["x"].flatten()
    assert (x * torch.arange(384)).sum().item() == pytest.approx(114.6, abs=1e-6)
    assert codec.encode(at(57.0)).maps["x"].max().item() == pytest.approx(0.066490, abs=1e-6)


def test_bins_are_cells_of_a_fine_grid():
    assert SimCC(points=1, size=SIZE).grid == Grid(height=512, width=384, image_height=256, image_width=192)
    assert type(SimCC(points=1, size=SIZE, compat="ratio").grid) is RatioGrid
    assert SimCC(points=1, size=SIZE, split=1.5).shapes == {"x": (1, 288), "y": (1, 384)}


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_error_of_a_bin(split):
    codec = SimCC(points=1, size=SIZE, split=split, target="smoothed")
    errors = []
    for x in torch.linspace(50, 52, 41).tolist():
        target = codec.encode(at(x))
        poses = codec.decode({name: target.maps[name].log() for name in "xy"})
        errors.append(abs(poses.xy[0, 0, 0, 0].item() - x - 0.5))
        assert poses.score.item() == pytest.approx(1)
    assert max(errors) <= 1 / (2 * split) + 1e-9
    assert sum(errors) / len(errors) == pytest.approx(1 / (4 * split), rel=0.1)


@pytest.mark.parametrize(
    ("target", "outside", "x", "weight"),
    [
        ("gaussian", "window", -8.0, 1),
        ("gaussian", "window", -10.0, 0),
        ("gaussian", "strict", -8.0, 0),
        ("gaussian", "ignore", -10.0, 1),
        ("smoothed", "window", -1.0, 0),
        ("smoothed", "ignore", -1.0, 0),
        ("smoothed", "window", 191.4, 1),
        ("smoothed", "window", 192.0, 0),
    ],
)
def test_points_outside(target, outside, x, weight):
    codec = SimCC(points=1, size=SIZE, target=target, outside=outside, compat="ratio")
    made = codec.encode(at(x))
    assert made.weight["x"].item() == made.weight["y"].item() == weight
    assert made.maps["x"].isfinite().all()


def test_the_score_is_that_of_the_less_certain_axis():
    codec = SimCC(points=1, size=(16, 12), sigma=1.0)
    target = codec.encode(instances(torch.tensor([[[[5.25, 8.25]]]])))
    sharp = {name: target.maps[name].clamp_min(1e-30).log() for name in "xy"}
    assert codec.decode(sharp).score.item() == pytest.approx(1, abs=1e-3)
    blunt = dict(sharp, y=torch.zeros(1, 1, 32))
    # A flat line of 32 bins has 1/32 where a Gaussian of 2 bins has 1 / (2 sqrt(2 pi)).
    assert codec.decode(blunt).score.item() == pytest.approx(2 * math.sqrt(2 * math.pi) / 32, abs=1e-3)


def test_of_equal_bins_the_first():
    codec = SimCC(points=1, size=(16, 12))
    maps = {"x": torch.zeros(1, 1, 24), "y": torch.zeros(1, 1, 32)}
    maps["x"][..., [7, 11]] = 3.0
    assert codec.decode(maps).xy.flatten().tolist() == pytest.approx([3.75, 0.25])
