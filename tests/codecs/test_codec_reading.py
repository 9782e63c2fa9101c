"""Small rules of reading a map, and 500 locations there and back."""

import pytest
import torch
from codec_cases import instances

from posekit.codecs.centers import CenterNet
from posekit.codecs.dfl import Dfl
from posekit.codecs.expectation import moments, peaked_cells
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.refine import refine_quarter, refine_second
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

IMAGE = (256, 192)
GRIDS = {"half_pixel": Grid.of(IMAGE, 4), "ratio": RatioGrid.of(IMAGE, 4), "aligned": AlignedGrid.of(IMAGE, 4)}


def ramp(size=(9, 8)):
    """(1, 1, H, W) map that rises to the right and downward."""
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    return (rows[:, None] + columns)[None, None]


@pytest.mark.parametrize(
    ("cell", "step", "guarded"),
    [
        ((3, 4), (0.25, 0.25), (0.25, 0.25)),
        # The reference wants two cells before the peak, on both axes or it moves on neither.
        ((1, 4), (0.25, 0.25), (0, 0)),
        ((3, 1), (0.25, 0.25), (0, 0)),
        ((2, 2), (0.25, 0.25), (0.25, 0.25)),
        ((6, 7), (0.25, 0.25), (0.25, 0.25)),
        ((0, 4), (0, 0.25), (0, 0)),
        ((7, 4), (0, 0.25), (0, 0)),
        ((3, 8), (0.25, 0), (0, 0)),
        ((0, 0), (0, 0), (0, 0)),
    ],
)
def test_where_a_quarter_is_gone(cell, step, guarded):
    at = torch.tensor([[cell]])
    for guard, expected in ((False, step), (True, guarded)):
        moved = refine_quarter(ramp(), at, guarded=guard)
        assert (moved - at).flatten().tolist() == list(expected)


def test_between_equal_neighbours_no_quarter_is_gone():
    at = torch.tensor([[[3, 4]]])
    assert torch.equal(refine_quarter(torch.ones(1, 1, 9, 8), at), at.float())


def test_the_second_of_equal_peaks_pulls():
    maps = torch.zeros(1, 1, 9, 8)
    maps[0, 0, 4, 2] = maps[0, 0, 4, 6] = 1.0
    assert refine_second(maps, torch.tensor([[[2, 4]]])).flatten().tolist() == [2.25, 4.0]


def test_soft_argmax_over_all_cells():
    z = torch.tensor([0, 0, 1, 2, 1.5, 0, 0, 0], dtype=torch.float64).reshape(1, 1, 1, 8)
    assert moments(peaked_cells(z, 1.0))[0][0, 0, 0].item() == pytest.approx(3.294216, abs=1e-6)


@pytest.mark.parametrize("background", [0.0, 0.2])
@pytest.mark.parametrize("beta", [1.0, 10.0])
def test_the_published_correction_of_the_background(beta, background):
    """The centroid without background is ``C / (C - N) (x - N / C c)``, with N and C of all cells and with beta."""
    cells = torch.arange(16, dtype=torch.float64)
    row = (-(cells - 4.3).square() / 8).exp()
    maps = (row[:12, None] * row + background)[None, None]
    # The published form has the background at 0.
    z = (beta * (maps - maps.min())).exp()
    N, C = z.numel(), z.sum()
    plain, _ = moments(z / C)
    middle = torch.tensor([7.5, 5.5], dtype=torch.float64)
    expected = C / (C - N) * (plain - N / C * middle)
    found, _ = moments(peaked_cells(maps, beta, corrected=True))
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def cut(grid):
    """Cells of CenterNet's code without their steps."""
    return CenterNet(points=500, grid=grid, compat="centernet")


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda g: Heatmap(points=500, grid=g, blur=0), 4e-3),
        (lambda g: Udp(points=500, grid=g, blur=0), 4e-3),
        (lambda g: UdpCombined(points=500, grid=g), 4e-4),
        (lambda g: UdpCombined(points=500, grid=g, merge="votes"), 4e-4),
        (lambda g: SimCC(points=500, size=g.image), 0.25),
        (lambda g: Dfl(points=500, size=g.image), 1e-5),
        (lambda g: Heatmap(points=500, grid=g, target="quantised", refine="none"), 2.04),
        (cut, 4.07),
    ],
)
def test_500_places_there_and_back(make, bound, grid):
    # Bounds are shares of a stride of 4 pixels; half a cell and a whole one of the aligned grid are a little more.
    codec = make(GRIDS[grid])
    random = torch.rand(1, 1, 500, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    xy = 24 + random * torch.tensor([144.0, 208.0], dtype=torch.float64)
    maps = dict(codec.perfect(codec.encode(instances(xy))))
    if isinstance(codec, CenterNet):
        maps["offset"] = torch.zeros_like(maps["offset"])
    assert (codec.decode(maps).xy - xy).abs().max() <= bound + 1e-9
