"""Quantisation error of cells: each rounding and decoding rule against its closed form."""

import math

import numpy as np
import pytest
import torch
from codec_cases import instances

from posekit.codecs.centers import CenterNet
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid
from posekit.metrics.similarity import oks
from posekit.skeletons.body import COCO17

SIZE = (512, 512)
MEAN_2D = (math.sqrt(2) + math.log(1 + math.sqrt(2))) / 3
"""Mean distance of a location in the unit square."""

schemes = pytest.mark.parametrize("scheme", ["floor", "round", "quarter"])
strides = pytest.mark.parametrize("stride", [2, 4, 8])


def decoded(scheme, x, grid):
    """Decoded locations (B, 1, K, 2) of points with both coordinates ``x`` (n,), in pixel indices from 0."""
    xy = (x + 0.5)[None, None, :, None].expand(1, 1, -1, 2)
    if scheme == "floor":
        codec = CenterNet(points=len(x), grid=grid, compat="centernet")
    else:
        target, refine = ("quantised", "none") if scheme == "round" else ("unbiased", "quarter")
        codec = Heatmap(points=len(x), grid=grid, sigma=2 * grid.scale[0], target=target, refine=refine)
    maps = dict(codec.perfect(codec.encode(instances(xy))))
    if scheme == "floor":
        maps["offset"] = torch.zeros_like(maps["offset"])
    return codec.decode(maps).xy[0, 0, :, 0] - 0.5


def errors(scheme, x, grid):
    return (decoded(scheme, x, grid) - x).abs()


@schemes
@strides
def test_errors_of_a_stride(scheme, stride):
    # Locations spread evenly over a cell, none of them at equal distance to two cells.
    n = 512
    x = 10 * stride + stride * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    e = errors(scheme, x, RatioGrid.of((32 * stride, 32 * stride), stride))
    width = {"floor": 1, "round": 1 / 2, "quarter": 1 / 4}[scheme] * stride
    assert e.max().item() == pytest.approx(width, rel=0.01)
    assert e.max() <= width
    assert e.mean().item() == pytest.approx(width / 2, rel=1e-6)
    assert e.square().mean().sqrt().item() == pytest.approx(width / math.sqrt(3), rel=1e-5)
    both = (e[:, None].square() + e.square()).sqrt()
    assert both.mean().item() == pytest.approx(MEAN_2D * width, rel=1e-5)
    assert both.square().mean().sqrt().item() == pytest.approx(math.sqrt(2 / 3) * width, rel=1e-5)


def test_errors_in_the_plane():
    factors = {scheme: MEAN_2D * share for scheme, share in (("floor", 1), ("round", 0.5), ("quarter", 0.25))}
    assert list(factors.values()) == pytest.approx([0.765196, 0.382598, 0.191299], abs=1e-6)


@pytest.mark.parametrize(
    ("scheme", "stride", "mean", "most"),
    [
        ("floor", 4, 1.5, 3),
        ("round", 4, 1.0, 2),
        ("quarter", 4, 0.25, 1),
        ("floor", 8, 3.5, 7),
        ("round", 8, 2.0, 4),
        ("quarter", 8, 0.75, 2),
        ("floor", 2, 0.5, 1),
        ("round", 2, 0.5, 1),
        ("quarter", 2, 0.25, 0.5),
    ],
)
def test_errors_of_whole_pixels(scheme, stride, mean, most):
    x = torch.arange(10 * stride, 18 * stride, dtype=torch.float64)
    e = errors(scheme, x, RatioGrid.of((32 * stride, 32 * stride), stride))
    assert e.mean().item() == pytest.approx(mean)
    assert e.max().item() == pytest.approx(most)


@pytest.mark.parametrize(
    ("scheme", "x", "found"),
    [
        ("floor", 507.0, 504.0),
        ("round", 507.0, 508.0),
        ("round", 104.8, 104.0),
        ("quarter", 104.8, 105.0),
        ("floor", 104.8, 104.0),
        ("round", 106.4, 108.0),
        ("quarter", 106.4, 107.0),
        ("floor", 106.4, 104.0),
    ],
)
def test_places_by_hand(scheme, x, found):
    place = decoded(scheme, torch.tensor([x], dtype=torch.float64), RatioGrid.of(SIZE, 4))
    assert place.item() == pytest.approx(found)


def test_even_a_cut_place_is_near_on_an_aligned_grid():
    # 507 * 127 / 511 = 126.0059; cell 126 is at 506.976.
    place = decoded("floor", torch.tensor([507.0], dtype=torch.float64), AlignedGrid.of(SIZE, 4))
    assert place.item() == pytest.approx(506.976, abs=5e-4)


@pytest.mark.parametrize("kind", [Grid, RatioGrid, AlignedGrid])
def test_unbiased_reading_loses_nothing(kind):
    xy = torch.linspace(40.1, 61.7, 37, dtype=torch.float64)[None, None, :, None].expand(1, 1, -1, 2)
    codec = Heatmap(points=37, grid=kind.of((128, 96), 4), blur=0)
    assert torch.allclose(codec.decode(codec.encode(instances(xy)).maps).xy, xy, atol=1e-6)


@pytest.mark.parametrize("x", [510.0, 511.0])
def test_the_last_pixels_round_to_a_cell_that_is_not_there(x):
    # 127.5 and 127.75 round to cell 128 of 128: the map holds only one side of the Gaussian, with an error of up to 3
    # pixels.
    xy = torch.tensor([x + 0.5, 200.5], dtype=torch.float64).reshape(1, 1, 1, 2)
    codec = Heatmap(points=1, grid=RatioGrid.of(SIZE, 4), target="quantised", refine="none")
    target = codec.encode(instances(xy))
    assert target.weight["heatmap"].item() == 1
    assert target.maps["heatmap"].max().item() == pytest.approx(0.882497, abs=1e-6)
    place = codec.decode(target.maps).xy[0, 0, 0, 0].item() - 0.5
    assert x - place == pytest.approx(x - 508)
    # The default grid has every pixel in a cell.
    plain = Heatmap(points=1, grid=Grid.of(SIZE, 4), target="quantised", refine="none")
    assert plain.encode(instances(xy)).maps["heatmap"].max() == 1


@pytest.mark.parametrize(("scheme", "expected"), [("floor", 0.953), ("round", 0.987), ("quarter", 0.997)])
def test_what_it_costs_in_oks(scheme, expected):
    # A person as high as 1 / 1.25 of a crop of 256 pixels, whose area is 0.3 of its height squared.
    n = 32
    x = 40 + 4 * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    e = (decoded(scheme, x, RatioGrid.of((128, 128), 4)) - x).numpy()
    off = np.stack(np.broadcast_arrays(e[:, None], e), -1).reshape(-1, 1, 2).repeat(17, 1)
    area = np.full(n * n, 0.3 * (256 / 1.25) ** 2)
    alike = oks(off, np.zeros_like(off), np.ones(off.shape[:2], bool), area, COCO17.oks_sigmas)
    assert alike.mean() == pytest.approx(expected, abs=6e-4)


def test_what_a_network_gives_in_memory():
    size = (256, 192)
    for codec, numbers in (
        (Heatmap(points=17, grid=Grid.of(size, 4)), 208_896),
        (SimCC(points=17, size=size), 60_928),
        (Rle(points=17, size=size), 272),
    ):
        assert 4 * sum(math.prod(shape) for shape in codec.shapes.values()) == numbers
