"""Error of a point after flip testing: maps of the mirrored image are mirrored back and averaged with the others."""

import pytest
import torch
from codec_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.cells import mirrored
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

IMAGE = (256, 192)
MIRROR = torch.tensor([-1.0, 1.0], dtype=torch.float64)
RIGHT = torch.tensor([192.0, 0.0], dtype=torch.float64)
strides = pytest.mark.parametrize("stride", [2, 4, 8])
even = pytest.mark.parametrize("kind", [Grid, AlignedGrid])


def both(codec, xy, back=None):
    """Maps of one point, and those of its mirror image mirrored back."""
    there, mirror = (codec.perfect(codec.encode(instances(each))) for each in (xy, xy * MIRROR + RIGHT))
    return there, (back or codec.flip)(mirror, (0,))


def unmoved(maps, order):
    """Mirrored without the shift that a ratio grid needs."""
    return {name: value[:, list(order)].flip(-1) for name, value in maps.items()}


def off(codec, maps, xy):
    """Pixels from the point to what is decoded, along x; along y there is nothing."""
    apart = (codec.decode(maps).xy - xy).flatten()
    assert abs(apart[1].item()) < 1e-6
    return apart[0].item()


def heatmap(grid):
    """Two cells wide, decoded as it is."""
    return Heatmap(points=1, grid=grid, sigma=2 * grid.scale[0], blur=0)


def place(grid, x, y):
    """(1, 1, 1, 2) pixels of a location in cells."""
    return grid.pixels(torch.tensor([x, y], dtype=torch.float64).reshape(1, 1, 1, 2))


@strides
def test_ratio_grids_leave_something(stride):
    # A mirrored place X comes back at X - (s - 1) / s, after the shift by a cell at X + 1 / s: in pixels 1 - s and 1.
    grid = RatioGrid.of(IMAGE, stride)
    codec, xy = heatmap(grid), place(grid, 12.3, 14.7)
    assert off(codec, both(codec, xy)[1], xy) == pytest.approx(1.0, abs=1e-6)
    assert off(codec, both(codec, xy, unmoved)[1], xy) == pytest.approx(1.0 - stride, abs=1e-6)
    moved = grid.cells(codec.decode(both(codec, xy, unmoved)[1]).xy)[0, 0, 0, 0].item()
    assert moved == pytest.approx(12.3 - (stride - 1) / stride, abs=1e-6)


@strides
@pytest.mark.parametrize("shift", [True, False])
def test_half_of_it_is_left_of_averaged_maps(stride, shift):
    # The mean of two equal Gaussians is symmetric about their midpoint: +1/2 pixel with the shift, (1 - s) / 2 without.
    grid = RatioGrid.of(IMAGE, stride)
    residue = 1 / stride if shift else (1 - stride) / stride
    # The middle is put on a cell centre, where DARK takes no step.
    codec, xy = heatmap(grid), place(grid, 12 - residue / 2, 14.0)
    maps, back = both(codec, xy, None if shift else unmoved)
    mean = {"heatmap": (maps["heatmap"] + back["heatmap"]) / 2}
    assert off(codec, mean, xy) == pytest.approx(residue * stride / 2, abs=1e-6)


@strides
@pytest.mark.parametrize(("shift", "left"), [(True, 0.5), (False, -0.5)])
def test_half_of_it_is_left_of_averaged_places(stride, shift, left):
    # A mean of cells is linear in the map: 0.5 with the shift, -0.5, -1.5, -3.5 without for strides 2, 4, 8.
    grid = RatioGrid.of(IMAGE, stride)
    codec, xy = Integral(points=1, grid=grid, beta=1.0), place(grid, 11.3, 14.7)
    maps, back = both(codec, xy, None if shift else unmoved)
    probability = (codec.probability(maps["heatmap"]) + codec.probability(back["heatmap"])) / 2
    left = left if shift else left * (stride - 1)
    assert off(codec, {"heatmap": probability.clamp_min(1e-30).log()}, xy) == pytest.approx(left, abs=1e-4)


@even
@strides
def test_the_other_grids_leave_nothing(kind, stride):
    grid = kind.of(IMAGE, stride)
    codec, xy = heatmap(grid), place(grid, 12.3, 14.7)
    maps, back = both(codec, xy)
    torch.testing.assert_close(back["heatmap"], maps["heatmap"], atol=1e-9, rtol=0)
    assert off(codec, {"heatmap": (maps["heatmap"] + back["heatmap"]) / 2}, xy) == pytest.approx(0, abs=1e-6)


@even
@settings(deadline=None, max_examples=25)
@given(x=st.floats(40, 150), y=st.floats(40, 210))
def test_averaged_maps_of_every_kind(kind, x, y):
    grid = kind.of(IMAGE, 4)
    xy = torch.tensor([x, y], dtype=torch.float64).reshape(1, 1, 1, 2)
    codecs = (
        heatmap(grid),
        UdpCombined(points=1, grid=grid),
        UdpCombined(points=1, grid=grid, merge="votes"),
        Integral(points=1, grid=grid),
        Heatmap3d(points=1, grid=grid, bins=4),
        Integral3d(points=1, grid=grid, bins=4),
        SimCC(points=1, size=IMAGE, refine="expectation"),
        Regression(points=1, size=IMAGE),
        Rle(points=1, size=IMAGE),
    )
    for codec in codecs:
        maps, back = both(codec, xy)
        for each in (back, {name: (maps[name] + back[name]) / 2 for name in maps}):
            assert (codec.decode(each).xy - codec.decode(maps).xy).abs().max() < 1e-4, codec.kind


@pytest.mark.parametrize("merge", ["near", "peak", "votes"])
def test_offsets_on_a_ratio_grid_leave_a_pixel(merge):
    grid = RatioGrid.of(IMAGE, 4)
    codec, xy = UdpCombined(points=1, grid=grid, merge=merge, offset_blur=0), place(grid, 20.3, 30.7)
    assert off(codec, both(codec, xy)[1], xy) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_bins_of_published_weights(split):
    # Bin k x of a mirrored place becomes k x + k - 1: (k - 1) / k pixels too far right.
    codec = SimCC(points=1, size=IMAGE, split=split, compat="ratio", refine="expectation")
    xy = torch.tensor([83.4, 120.2], dtype=torch.float64).reshape(1, 1, 1, 2)
    assert off(codec, both(codec, xy)[1], xy) == pytest.approx((split - 1) / split, abs=1e-4)


@pytest.mark.parametrize("codec", [Regression, Rle])
@pytest.mark.parametrize("compat", ["none", "ratio"])
def test_coordinates_leave_nothing(codec, compat):
    made = codec(points=1, size=IMAGE, compat=compat)
    xy = torch.tensor([83.4, 120.2], dtype=torch.float64).reshape(1, 1, 1, 2)
    assert off(made, both(made, xy)[1], xy) == pytest.approx(0, abs=1e-9)


def test_a_shifted_map_is_a_copy():
    maps = torch.rand(1, 1, 4, 5)
    before = maps.clone()
    moved = mirrored(maps, (0,), RatioGrid.of((16, 20), 4))
    moved += 1
    assert torch.equal(maps, before)
