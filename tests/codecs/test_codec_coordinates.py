"""Regression, RLE, integral and DSNT against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import instances

from posekit.codecs.cells import bell, outer
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.expectation import certainty, moments, peaked_cells, softmax_cells, softmax_summary
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression, to_fractions
from posekit.codecs.rle import Rle
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

SIZE = (256, 192)
FIFTY = torch.tensor([[[[50.5, 200.5]]]], dtype=torch.float64)  # pixel (50, 200) in our frame


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("kind", [Regression, Rle])
def test_fractions_of_the_image(kind):
    codec = kind(points=1, size=SIZE, compat="ratio")
    assert codec.encode(instances(FIFTY)).maps["coords"].flatten().tolist() == pytest.approx(
        [-0.239583, 0.281250], abs=1e-6
    )
    codec = kind(points=1, size=SIZE)
    assert codec.encode(instances(FIFTY)).maps["coords"].flatten().tolist() == pytest.approx(
        [50.5 / 192 - 0.5, 200.5 / 256 - 0.5]
    )


def test_the_three_normalisations_are_affine():
    # u01 = u + 0.5 and d = 2 u + 1 / size, in the ratio convention.
    u = to_fractions(FIFTY[0], SIZE, ratio=True).flatten()
    d = Dsnt(points=1, grid=Grid.of(SIZE, 1)).encode(instances(FIFTY)).maps["coords"].flatten()
    assert (u + 0.5).tolist() == pytest.approx([0.260417, 0.78125], abs=1e-6)
    assert d[0].item() == pytest.approx(-0.473958, abs=1e-6)
    assert torch.allclose(d, 2 * u + 1 / double(192, 256))


@pytest.mark.parametrize("compat", ["none", "ratio"])
def test_a_mirrored_ratio_fraction_loses_a_pixel(compat):
    codec = Regression(points=1, size=SIZE, compat=compat)
    coords = torch.tensor([[[0.1, -0.2]]])
    flipped = codec.flip({"coords": coords}, (0,))["coords"]
    expected = [-0.1 - (1 / 192 if compat == "ratio" else 0), -0.2]
    assert flipped.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("outside", "weight"), [("strict", [1, 0, 0, 1]), ("ignore", [1, 1, 1, 1])])
@pytest.mark.parametrize("kind", [Regression, Rle])
def test_coordinates_outside_the_image(kind, outside, weight):
    xy = double([0.0, 0.0], [-0.1, 20.0], [20.0, 256.1], [192.0, 256.0])[None, None]
    target = kind(points=4, size=SIZE, outside=outside).encode(instances(xy))
    assert target.weight["coords"].flatten().tolist() == weight
    assert torch.equal(target.maps["xy"], xy)


def test_rle_scores_and_spreads():
    # sigmoid(-3) = .047426, sigmoid(-2) = .119203: score 1 - mean.
    codec = Rle(points=1, size=SIZE)
    poses = codec.decode({"coords": torch.zeros(1, 1, 2), "sigma": torch.tensor([[[-3.0, -2.0]]])})
    assert poses.score.item() == pytest.approx(0.916686, abs=1e-6)
    assert poses.spread.flatten().tolist() == pytest.approx([0.047426 * 192, 0.119203 * 256], rel=1e-5)
    assert poses.xy.flatten().tolist() == [96, 128]


@pytest.mark.parametrize(("beta", "mean"), [(0.5, 3.363117), (1, 3.224396), (2, 3.053781), (5, 3.000179), (10, 3.0)])
def test_soft_argmax_in_one_dimension(beta, mean):
    z = double(0, 0, 1, 2, 1, 0, 0, 0).reshape(1, 1, 1, 8)
    assert moments(peaked_cells(z, beta))[0].flatten().tolist() == pytest.approx([mean, 0], abs=1e-6)


@pytest.mark.parametrize(("beta", "mean"), [(1, 31.327534), (10, 11.316982), (20, 10.000127)])
def test_the_background_pulls_to_the_centre_and_is_taken_off(beta, mean):
    line = bell(double(10), 64, 2.0)
    maps = outer(line, line)[None]
    # Sigma 2 at a cell's centre: the corrected mean is exact.
    for background, corrected, expected in ((0, False, mean), (0, True, 10), (-0.7, True, 10)):
        found, _ = moments(peaked_cells(maps + background, beta, corrected))
        assert found.flatten().tolist() == pytest.approx([expected] * 2, abs=1e-5)


def test_a_flat_map_has_its_mean_in_the_centre():
    for corrected in (False, True):
        probability = peaked_cells(torch.full((2, 3, 16, 12), 0.3), 10.0, corrected)
        assert torch.allclose(moments(probability)[0], torch.tensor([5.5, 7.5]), atol=1e-5)


@pytest.mark.parametrize(
    ("z", "beta", "mean"),
    [
        ((0, 0, 1, 2, 1, 0, 0, 0), 1, 3.0),
        ((0, 0, 1, 2, 1.5, 0, 0, 0), 1, 3.120872),
        ((0, 0, 1, 2, 1.5, 0, 0, 0), 10, 3.006647),
    ],
)
def test_local_soft_argmax(z, beta, mean):
    probability = peaked_cells(double(*z).reshape(1, 1, 1, 8), beta, radius=(1, 1))
    assert moments(probability)[0][0, 0, 0].item() == pytest.approx(mean, abs=1e-6)
    assert (probability > 0).sum() == 3


def test_windows_are_given_in_pixels():
    assert Integral(points=1, grid=Grid.of(SIZE, 4), window=12.0).radius == (3, 3)
    assert Integral(points=1, grid=Grid.of(SIZE, 4), window=0.5).radius == (1, 1)
    assert Integral(points=1, grid=Grid.of(SIZE, 4)).radius is None


def test_the_gradient_of_a_mean():
    # d mean / d z_i = p_i (x_i - mean), here on the grid (-2/3, 0, 2/3).
    z = double(0, 1, 2).reshape(1, 1, 1, 3).requires_grad_()
    probability = softmax_cells(z)
    mean = ((2 * moments(probability)[0][0, 0, 0] + 1) / 3) - 1
    mean.backward()
    assert probability.flatten().tolist() == pytest.approx([0.090031, 0.244728, 0.665241], abs=1e-6)
    assert mean.item() == pytest.approx(0.383474, abs=1e-6)
    assert z.grad.flatten().tolist() == pytest.approx([-0.094545, -0.093847, 0.188392], abs=1e-6)


def test_dsnt_mean_and_variance():
    Z = torch.zeros(5, 5, dtype=torch.float64)
    Z[1, 1:3] = 0.1
    Z[2, :3] = double(0.1, 0.6, 0.1)
    assert Z.sum() == pytest.approx(1)
    codec = Dsnt(points=1, grid=Grid.of((20, 20), 4))
    activated = codec.activate({"heatmap": Z.clamp_min(1e-30).log()[None, None]})
    assert activated["coords"].flatten().tolist() == pytest.approx([-0.36, -0.08], abs=1e-6)
    assert codec.grid.cells(activated["xy"]).flatten().tolist() == pytest.approx([1.1, 1.8], abs=1e-6)
    assert activated["variance"].flatten().tolist() == pytest.approx([0.29, 0.16], abs=1e-6)
    assert activated["spread"].flatten().tolist() == pytest.approx([4 * math.sqrt(0.29), 4 * math.sqrt(0.16)], abs=1e-6)


def test_dsnt_target_is_a_distribution_around_the_point():
    # Cells (1, 2) of 5 x 5, sigma one cell: the middle row of the normalised Gaussian.
    codec = Dsnt(points=1, grid=Grid.of((20, 20), 4), sigma=4.0)
    target = codec.encode(instances(codec.grid.pixels(double([[[1.0, 2.0]]]))))
    row = [0.103497, 0.170637, 0.103497, 0.023093, 0.001896]
    assert target.maps["probability"][0, 0, 2].tolist() == pytest.approx(row, abs=1e-6)
    assert target.maps["coords"].flatten().tolist() == pytest.approx([-0.4, 0.0])
    assert target.maps["variance"].flatten().tolist() == [1, 1]


@pytest.mark.parametrize("kind", [Integral, Dsnt])
@pytest.mark.parametrize(("grid", "weight"), [(Grid, [1, 0, 0]), (AlignedGrid, [1, 1, 0]), (RatioGrid, [1, 0, 0])])
def test_a_mean_cannot_leave_the_outermost_cells(kind, grid, weight):
    xy = double([100.0, 100.0], [191.0, 255.0], [191.8, 20.0])[None, None]
    target = kind(points=3, grid=grid.of(SIZE, 4)).encode(instances(xy))
    assert target.weight["xy"].flatten().tolist() == weight
    assert kind(points=3, grid=grid.of(SIZE, 4), outside="ignore").encode(instances(xy)).weight["xy"].sum() == 3


@pytest.mark.parametrize("beta", [1.0, 25.0])
@pytest.mark.parametrize("size", [(16, 12), (17, 5), (37, 6)])
def test_a_summary_is_that_of_the_softmax(size, beta):
    maps = 5 * torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    maps[0, 1, 4, 2], maps[1, 2] = float("nan"), float("nan")
    probability = softmax_cells(beta * maps)
    for got, expected in zip(softmax_summary(maps, beta), (*moments(probability), certainty(probability)), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-9, rtol=0)


def test_certainty():
    one_cell = torch.zeros(1, 1, 4, 5)
    one_cell[0, 0, 2, 3] = 1
    assert certainty(one_cell).item() == 1
    assert certainty(torch.full((1, 1, 4, 5), 1 / 20)).item() == pytest.approx(0, abs=1e-6)
