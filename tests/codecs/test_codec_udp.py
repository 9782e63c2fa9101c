"""UDP's maps, discs and votes against numbers worked out by hand, and at borders and with noise."""

import math

import pytest
import torch
from codec_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.cells import bell, outer
from posekit.codecs.dark import refine_dark_udp
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.ranking import peak
from posekit.codecs.smoothing import blurred
from posekit.codecs.udp import Udp, UdpCombined, most_votes, votes
from posekit.geometry.grid import AlignedGrid, Grid

ALIGNED = AlignedGrid.of((256, 192), 4)
PLAIN = Grid.of((256, 192), 4)
CELLS = Grid.of((64, 48), 1)
"""A map as large as the image, so that cells are pixels."""


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def at(grid, x, y):
    """Labels of one point given in cells."""
    return instances(grid.pixels(double(x, y).reshape(1, 1, 1, 2)))


def gaussian(x, y, sigma=2.0, size=(64, 48)):
    """(1, 1, H, W)."""
    center = double(x, y)[None]
    return outer(bell(center[:, 1], size[0], sigma), bell(center[:, 0], size[1], sigma))[None]


def test_a_window_of_the_unbiased_gaussian():
    # Pixel index 20.3 * 191 / 47 of the reference is cell 20.3 where both ends of the map are ends of the image.
    x, y = 20.3 * 191 / 47, 30.7 * 255 / 63
    drawn = Udp(points=1, grid=ALIGNED).encode(instances(double(x, y).reshape(1, 1, 1, 2) + 0.5)).maps["heatmap"][0, 0]
    whole = Heatmap(points=1, grid=ALIGNED).encode(at(ALIGNED, 20.3, 30.7)).maps["heatmap"][0, 0]
    # Two cells are 8 pixels only where a cell is 4: here it is 191/47 by 255/63.
    sx, sy = 8 * 47 / 191, 8 * 63 / 255
    expected = math.exp(-(0.3**2) / (2 * sx**2) - 0.3**2 / (2 * sy**2))
    assert drawn[31, 20].item() == pytest.approx(expected, abs=1e-9)
    assert (drawn > 0).sum() == 13 * 13
    # The window lies around the nearest cell (20, 31).
    assert torch.allclose(drawn[25:38, 14:27], whole[25:38, 14:27], atol=1e-9)


def test_a_window_in_cells():
    drawn = Udp(points=1, grid=CELLS, sigma=2.0).encode(at(CELLS, 20.3, 30.7)).maps["heatmap"][0, 0]
    assert drawn[31, 20].item() == pytest.approx(0.977751, abs=1e-6)
    assert drawn[31, 21].item() == pytest.approx(0.930066, abs=1e-6)
    assert drawn[30, 20].item() == pytest.approx(0.930066, abs=1e-6)
    assert (drawn > 0).sum() == 169


@pytest.mark.parametrize(("radius", "cells"), [(3.5, 39), (4.0, 50)])
def test_the_disc(radius, cells):
    target = UdpCombined(points=1, grid=CELLS, radius=radius).encode(at(CELLS, 10.2, 20.6))
    assert target.maps["disc"].sum() == cells
    assert target.weight["offset"].sum() == 2 * cells
    assert ((target.maps["offset"] != 0) <= (target.weight["offset"] > 0)).all()


def test_the_offsets():
    target = UdpCombined(points=1, grid=CELLS, radius=3.5).encode(at(CELLS, 10.2, 20.6))
    offset, disc = target.maps["offset"][0], target.maps["disc"][0, 0]
    # (10.2 - 10) / 3.5 and (20.6 - 21) / 3.5.
    assert offset[:, 21, 10].tolist() == pytest.approx([0.057143, -0.114286], abs=1e-6)
    assert offset[:, 19, 12].tolist() == pytest.approx([-0.514286, 0.457143], abs=1e-6)
    assert disc[19, 12] == disc[21, 10] == 1


def test_dark_udp_on_the_5_by_5_patch():
    rows = [
        [0.05, 0.10, 0.12, 0.08, 0.04],
        [0.10, 0.40, 0.55, 0.35, 0.10],
        [0.12, 0.60, 1.00, 0.80, 0.20],
        [0.08, 0.30, 0.50, 0.45, 0.12],
        [0.03, 0.08, 0.10, 0.09, 0.05],
    ]
    place = refine_dark_udp(double(*rows)[None, None], torch.tensor([[[2, 2]]]), blur=1)
    assert place.flatten().tolist() == pytest.approx([2.193078, 1.986279], abs=1e-6)


@pytest.mark.parametrize(("blur", "expected"), [(1, (20.3, 30.7)), (11, (20.300036, 30.699964))])
def test_dark_udp_in_the_open(blur, expected):
    maps = gaussian(20.3, 30.7)
    place = refine_dark_udp(maps, peak(maps)[0], blur)
    assert place.flatten().tolist() == pytest.approx(expected, abs=1e-6)


# The reference answers -0.5 for 0.3: it doubles the outermost cells.
@pytest.mark.parametrize("x", [0.0, 0.3, 1.2, 2.4, 46.7, 46.0, 45.7, 47.0])
@pytest.mark.parametrize("y", [0.0, 0.3, 1.2, 30.7, 61.7, 62.8, 63.0])
@pytest.mark.parametrize("blur", [1, 11])
def test_dark_udp_at_the_border(x, y, blur):
    maps = gaussian(x, y)
    place = refine_dark_udp(maps, peak(maps)[0], blur)
    assert place.flatten().tolist() == pytest.approx([x, y], abs=0.05 if blur > 1 else 1e-6)


@pytest.mark.parametrize("p", [(0.5, 0.5), (191.5, 255.5), (191.0, 3.0)])
def test_the_far_edge_comes_back(p):
    # Unit lengths on the way there and whole sizes on the way back would be a pixel off here.
    xy = double(*p).reshape(1, 1, 1, 2)
    codec = Udp(points=1, grid=ALIGNED, blur=0)
    assert torch.allclose(codec.decode(codec.encode(instances(xy)).maps).xy, xy, atol=1e-6)


@pytest.mark.parametrize("blur", [15, 23])
def test_the_published_decoding_of_filled_offsets(blur):
    # A network gives the offset in every cell; the mean over a symmetric window is the offset at its centre.
    codec = UdpCombined(points=1, grid=ALIGNED, merge="peak", blur=blur * 4.06, offset_blur=7 * 4.06)
    xy = double(83.4, 125.9).reshape(1, 1, 1, 2)
    columns, rows = ALIGNED.axes(xy)
    ways = ((83.4 - columns).expand(64, 48), (125.9 - rows)[:, None].expand(64, 48))
    maps = {"disc": codec.encode(instances(xy)).maps["disc"], "offset": torch.stack(ways)[None] / codec.radius}
    poses = codec.decode(maps)
    assert torch.allclose(poses.xy, xy, atol=1e-9)
    assert poses.score.item() == pytest.approx(1, abs=0.05)
    smooth = blurred(maps["disc"], blur)
    # The highest smoothed cell is the nearest to the point.
    assert peak(smooth)[0].flatten().tolist() == ALIGNED.cells(xy).round().flatten().tolist()


def test_votes_of_perfect_maps():
    target = UdpCombined(points=1, grid=CELLS, radius=3.5).encode(at(CELLS, 10.2, 20.6))
    disc, way = target.maps["disc"], target.maps["offset"].reshape(1, 1, 2, 64, 48) * 3.5
    total = votes(disc, way)
    assert total.sum().item() == pytest.approx(39)
    total = total / (math.pi * 3.5**2)
    assert total.sum().item() == pytest.approx(1.013395, abs=1e-6)
    block = [0.324286, 0.081072, 0.486429, 0.121607]
    assert total[0, 0, 20:22, 10:12].flatten().tolist() == pytest.approx(block, abs=1e-6)
    place, mass = most_votes(total)
    assert place.flatten().tolist() == pytest.approx([10.2, 20.6], abs=1e-9)
    assert mass.item() == pytest.approx(1.013395, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(x=st.floats(20, 170), y=st.floats(20, 230), radius=st.floats(5, 20))
def test_votes_are_exact(x, y, radius):
    codec = UdpCombined(points=1, grid=ALIGNED, radius=radius, merge="votes")
    xy = double(x, y).reshape(1, 1, 1, 2)
    poses = codec.decode(codec.perfect(codec.encode(instances(xy))))
    assert torch.allclose(poses.xy, xy, atol=1e-6)


def test_votes_out_of_the_map_are_lost():
    weight = torch.ones(1, 1, 5, 4)
    way = torch.zeros(1, 1, 2, 5, 4)
    way[:, :, 0] = -1.5
    total = votes(weight, way)
    # Columns 0 to 3 go to -1.5, -0.5, 0.5, 1.5: half of the second one's stays.
    assert total[0, 0, 0].tolist() == [1.0, 1.0, 0.5, 0.0]


def test_votes_bear_noise_better_than_a_peak():
    generator = torch.Generator().manual_seed(5)
    xy = 40 + torch.rand(64, 1, 1, 2, generator=generator, dtype=torch.float64) * 100
    codec = UdpCombined(points=1, grid=PLAIN, merge="votes")
    maps = dict(codec.encode(instances(xy)).maps)
    # Three of ten cells of each disc lead anywhere within twice its radius.
    wrong = torch.rand(64, 1, 64, 48, generator=generator) < 0.3
    noise = 4 * torch.rand(64, 2, 64, 48, generator=generator, dtype=torch.float64) - 2
    maps["offset"] = torch.where(wrong & (maps["disc"] > 0), noise, maps["offset"])
    errors = {}
    for merge in ("votes", "near", "peak"):
        codec = UdpCombined(points=1, grid=PLAIN, merge=merge)
        errors[merge] = (codec.decode(maps).xy - xy).norm(dim=-1)
    # Two and a half pixels against a few hundredths.
    assert errors["votes"].mean() < 0.2 * min(errors["near"].mean(), errors["peak"].mean())
    assert (errors["votes"] < errors["peak"]).float().mean() > 0.9
