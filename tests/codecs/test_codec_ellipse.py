"""Gaussians of any widths and direction against numbers worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from codec_cases import PARENTS, SIGMAS, instances
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import K

from posekit.codecs.ellipse import Ellipse
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.kernels import NARROWEST, oriented
from posekit.geometry.grid import AlignedGrid, Grid

IMAGE = (256, 192)
GRID = Grid.of(IMAGE, 4)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def pair(angle, length=30.0, **fields):
    """(H, W) Gaussian of the second of two points, the end of a bone of that length (pixels) and angle (radians)."""
    there = double(96.0, 128.0)
    back = double(math.cos(angle), math.sin(angle)) * length
    xy = torch.stack((there - back, there)).reshape(1, 1, 2, 2)
    codec = Ellipse(points=2, grid=Grid.of(IMAGE, 1), parents=(-1, 0), sigmas=(0.05, 0.05), **fields)
    return codec.encode(instances(xy)).maps["heatmap"][0, 1]


def spread(gaussian):
    """(2, 2) covariance of a map in cells, x before y."""
    share = gaussian / gaussian.sum()
    y, x = torch.meshgrid(*(torch.arange(size, dtype=gaussian.dtype) for size in gaussian.shape), indexing="ij")
    x, y = x - (share * x).sum(), y - (share * y).sum()
    xx, xy, yy = ((share * both).sum() for both in (x * x, x * y, y * y))
    return torch.stack((xx, xy, xy, yy)).reshape(2, 2)


def test_a_turned_gaussian_by_hand():
    # 30 degrees, sigma 4 and 2, at (2, 1): 2.232051 along and -0.133975 across.
    one = double([[[1.0]]])
    value = oriented(2 * one, one, 4 * one[..., 0], 2 * one[..., 0], one[..., 0] * math.pi / 6, one[..., 0])
    along, across = 2 * math.cos(math.pi / 6) + 0.5, math.cos(math.pi / 6) - 1
    assert (along, across) == pytest.approx((2.232051, -0.133975), abs=1e-6)
    assert value.item() == pytest.approx(0.853907, abs=1e-6)
    assert value.item() == pytest.approx(math.exp(-(along**2) / 32 - across**2 / 8))


def test_the_covariance_of_a_turned_gaussian():
    gaussian = pair(math.pi / 6, along=4.0, across=2.0)
    assert spread(gaussian).flatten().tolist() == pytest.approx([13, 5.196152, 5.196152, 7], abs=1e-6)
    # A step of (2, 1) from the point, which is the corner of four cells: from (0.5, 0.5) to (2.5, 1.5).
    u, v = (2.5 * math.sqrt(3) + 1.5) / 2, (1.5 * math.sqrt(3) - 2.5) / 2
    assert gaussian[129, 98].item() == pytest.approx(math.exp(-(u**2) / 32 - v**2 / 8), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(angle=st.floats(-math.pi, math.pi), length=st.floats(1, 60), across=st.floats(1.5, 5), more=st.floats(1.3, 3))
def test_a_gaussian_is_longest_along_its_bone(angle, length, across, more):
    values, axes = torch.linalg.eigh(spread(pair(angle, length, along=across * more, across=across)))
    assert values.tolist() == pytest.approx([across**2, (across * more) ** 2], rel=1e-3)
    direction = double(math.cos(angle), math.sin(angle))
    assert abs((axes[:, 1] * direction).sum().item()) == pytest.approx(1, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), sigma=st.floats(3, 15), grid=st.sampled_from([GRID, AlignedGrid.of(IMAGE, 4)]))
def test_equal_widths_are_round(seed, sigma, grid):
    random = torch.rand(2, 1, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    labels = instances(random * double(192, 256))
    codec = Ellipse(points=K, grid=grid, parents=PARENTS, sigmas=SIGMAS, along=sigma, across=sigma)
    round_ = Heatmap(points=K, grid=grid, sigma=sigma)
    made, expected = codec.encode(labels), round_.encode(labels)
    # One sets products below 1e-17 to 0, the other each of the two factors.
    torch.testing.assert_close(made.maps["heatmap"], expected.maps["heatmap"], atol=1e-12, rtol=0)
    assert torch.equal(made.weight["heatmap"], expected.weight["heatmap"])


@pytest.mark.parametrize("parents", [(-1, 0), (-1, -1)])
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("apart", [0.0, 25.0])
def test_round_where_there_is_no_bone(parents, hidden, apart):
    xy = double([[80.0, 100.0], [80.0 + apart, 100.0]])[None]
    codec = Ellipse(points=2, grid=GRID, parents=parents, sigmas=(0.05, 0.05), along=16.0, across=8.0)
    visibility = torch.tensor([0 if hidden else 2, 2])
    gaussian = codec.encode(instances(xy, visibility)).maps["heatmap"][0, 1]
    # On a bone sigma is four cells along x, else two all around.
    along = 4 if parents[1] == 0 and apart and not hidden else 2
    assert spread(gaussian).flatten().tolist() == pytest.approx([along**2, 0, 0, 4], abs=1e-2)


@pytest.mark.parametrize(("box", "sigma"), [((60, 80), (6, 8)), ((80, 60), (8, 6)), ((0, 0), (4 / 6, 4 / 6))])
def test_widths_of_the_box(box, sigma):
    labels = replace(
        instances(double(96.0 + 2, 128.0 + 2).reshape(1, 1, 1, 2)),
        boxes=double(9, 9, 9 + box[0], 9 + box[1])[None, None],
    )
    codec = Ellipse(points=1, grid=GRID, parents=(-1,), sigmas=(0.05,), shape="box", share=0.1)
    gaussian = codec.encode(labels).maps["heatmap"][0, 0]
    assert gaussian[32, 24] == 1
    # One cell, 4 pixels, to the right and down.
    assert gaussian[32, 25].item() == pytest.approx(math.exp(-8 / sigma[0] ** 2), abs=1e-9)
    assert gaussian[33, 24].item() == pytest.approx(math.exp(-8 / sigma[1] ** 2), abs=1e-9)


def test_widths_of_oks():
    # At a distance of 2 sigma sqrt(area) OKS is exp(-1/2): so is the Gaussian.
    labels = instances(torch.full((1, 1, 2, 2), 98.0, dtype=torch.float64))
    codec = Ellipse(points=2, grid=GRID, parents=(-1, -1), sigmas=(0.05, 0.1), shape="oks", strictness=2.0)
    gaussian = codec.encode(replace(labels, area=double(900.0)[None])).maps["heatmap"][0]
    for k, pixels in enumerate((2 * 2 * 0.05 * 30, 2 * 2 * 0.1 * 30)):
        assert gaussian[k, 24, 25].item() == pytest.approx(math.exp(-8 / pixels**2), abs=1e-9)
    # Without an area it is that of the box, 60 by 80.
    gaussian = codec.encode(replace(labels, area=double(0.0)[None])).maps["heatmap"][0]
    assert gaussian[1, 24, 25].item() == pytest.approx(math.exp(-8 / (4 * 0.1) ** 2 / 4800), abs=1e-9)


def test_widths_of_points_have_the_mean_asked_for():
    labels = instances(torch.full((1, 1, 2, 2), 98.0, dtype=torch.float64))
    codec = Ellipse(points=2, grid=GRID, parents=(-1, -1), sigmas=(0.05, 0.15), shape="point", across=6.0)
    gaussian = codec.encode(labels).maps["heatmap"][0]
    assert [gaussian[k, 24, 25].item() for k in (0, 1)] == pytest.approx(
        [math.exp(-8 / 9), math.exp(-8 / 81)], abs=1e-9
    )


@pytest.mark.parametrize("shape", ["bone", "box", "point", "oks"])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([1.0, 40.0, 200.0]))
def test_every_point_keeps_its_cell(shape, seed, size):
    random = torch.rand(2, 1, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    xy = random * double(192, 256)
    labels = replace(instances(xy), boxes=double(0, 0, size, 1.2 * size).expand(2, 1, 4), area=xy.new_zeros(2, 1))
    fields = {"parents": PARENTS, "sigmas": SIGMAS, "shape": shape}
    top = Ellipse(points=K, grid=GRID, **fields).encode(labels).maps["heatmap"].flatten(2).amax(-1)
    # Half a cell away on both axes the narrowest Gaussian has exp(-9) left, one of 1.5 cells 0.89.
    least = math.exp(-0.25 / (1.5 if shape in ("bone",) else NARROWEST) ** 2)
    assert (top >= least - 1e-9).all()
    # In the middle of its cell every Gaussian reaches 1.
    middle = replace(labels, keypoints=replace(labels.keypoints, xy=GRID.pixels(GRID.cells(xy).round())))
    top = Ellipse(points=K, grid=GRID, **fields).encode(middle).maps["heatmap"].flatten(2).amax(-1)
    assert torch.allclose(top, torch.ones_like(top))
