"""Gaussian maps and their decoding, against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import FIVE, instances
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.codecs.cells import mirrored, sane
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.ranking import peak
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

IMAGE = (256, 192)
RATIO = RatioGrid.of(IMAGE, 4)


def one_point(grid, x, y):
    """(1, 1, 1, 2) pixels of a location given in cells."""
    return grid.pixels(torch.tensor([[[[x, y]]]], dtype=torch.float64))


def drawn(x, y, target, grid=RATIO, **settings):
    """(H, W) map of one point given in cells, and its weight."""
    codec = Heatmap(points=1, grid=grid, sigma=8.0, target=target, **settings)
    made = codec.encode(instances(one_point(grid, x, y)))
    return made.maps["heatmap"][0, 0], made.weight["heatmap"].item()


def test_quantised_vector():
    # Centre (20, 31), sigma 2 cells: exp(-4/8) two cells away, exp(-72/8) in the corner of the 13 x 13 window.
    g, weight = drawn(20.3, 30.7, "quantised")
    assert g.shape == (64, 48)
    assert weight == 1
    assert g[31, 20] == 1
    assert g[31, 22].item() == pytest.approx(0.606531, abs=1e-6)
    assert g[25, 14].item() == pytest.approx(1.234098e-4, abs=1e-9)
    assert g[24, 20] == 0
    assert (g > 0).sum() == 169
    assert g.sum().item() == pytest.approx(25.081291, abs=1e-6)
    profile = [1, 0.882497, 0.606531, 0.324652, 0.135335, 0.043937, 0.011109]
    assert torch.allclose(g[31, 20:27], torch.tensor(profile, dtype=torch.float64), atol=1e-6)


def test_quantised_corner():
    g, _ = drawn(0.0, 0.0, "quantised")
    assert (g > 0).sum() == 49
    assert g.sum().item() == pytest.approx(9.024384, abs=1e-6)


def test_unbiased_vector():
    g, _ = drawn(20.3, 30.7, "unbiased")
    assert g[31, 20].item() == pytest.approx(0.977751, abs=1e-6)
    assert g[31, 21].item() == pytest.approx(0.930066, abs=1e-6)
    assert g[30, 20].item() == pytest.approx(0.930066, abs=1e-6)
    assert g.sum().item() == pytest.approx(2 * math.pi * 4, abs=1e-6)


@pytest.mark.parametrize(
    ("x", "columns"), [(-6.4, 1), (-6.6, 0), (-5.6, 1), (-5.4, 2), (53.4, 1), (53.6, 0), (52.4, 2), (-7.5, 0)]
)
def test_the_window_at_the_border(x, columns):
    # Centre m = floor(x + 0.5), window m - 6 ... m + 6, columns 0 ... 47. What draws nothing has no weight.
    g, weight = drawn(x, 30.0, "quantised")
    assert (g.sum(0) > 0).sum() == columns
    assert weight == (columns > 0)


@pytest.mark.parametrize(("outside", "weight"), [("window", 1), ("strict", 0), ("ignore", 1)])
@pytest.mark.parametrize("target", ["quantised", "unbiased"])
def test_a_point_just_outside(target, outside, weight):
    g, counted = drawn(-2.0, 30.0, target, Grid.of(IMAGE, 4), outside=outside)
    assert counted == weight
    assert (g.max() > 0) == (weight > 0)


def test_a_point_far_outside_trains_an_empty_map_if_asked_to():
    g, weight = drawn(-30.0, 30.0, "quantised", outside="ignore")
    assert weight == 1
    assert g.max() == 0


def test_a_window_of_broken_width_is_rounded_up():
    codec = Heatmap(points=1, grid=RATIO, sigma=6.0, target="quantised")  # 1.5 cells: radius 4.5 becomes 5
    g = codec.encode(instances(one_point(RATIO, 20.0, 30.0))).maps["heatmap"][0, 0]
    assert (g > 0).sum() == 11 * 11
    assert torch.equal(g[25:36, 15:26], g[25:36, 15:26].flip(0, 1))


@pytest.mark.parametrize(
    ("target", "refine", "blur", "expected", "tolerance"),
    [
        ("unbiased", "dark", 0, (20.3, 30.7), 1e-9),
        ("unbiased", "dark", 44, (20.299845, 30.700155), 1e-6),
        ("quantised", "dark", 44, (20.0, 31.0), 1e-9),
        ("quantised", "quarter", 0, (20.0, 31.0), 1e-9),
        ("unbiased", "quarter", 0, (20.25, 30.75), 1e-9),
        ("unbiased", "parabola", 0, (20.3, 30.7), 1e-9),
        ("unbiased", "none", 0, (20.0, 31.0), 1e-9),
    ],
)
def test_decoding_vectors(target, refine, blur, expected, tolerance):
    g, _ = drawn(20.3, 30.7, target)
    poses = Heatmap(points=1, grid=RATIO, refine=refine, blur=blur).decode({"heatmap": g[None, None]})
    assert torch.allclose(RATIO.cells(poses.xy[0, 0, 0]), torch.tensor(expected, dtype=torch.float64), atol=tolerance)
    assert poses.score.item() == pytest.approx(g.max().item())


def test_the_smoothing_window_follows_sigma():
    assert Heatmap(points=K, grid=RATIO, sigma=8).window == 11
    assert Heatmap(points=K, grid=RATIO, sigma=12).window == 17
    assert Heatmap(points=K, grid=RATIO, blur=0).window == 1
    assert Heatmap(points=K, grid=RATIO, blur=44).window == 11


def test_of_equal_peaks_the_first_in_reading_order():
    maps = torch.zeros(1, 3, 16, 12)
    maps[0, 0, 9, 2] = maps[0, 0, 4, 7] = maps[0, 0, 4, 9] = 0.5
    maps[0, 1] = -1
    cell, value = peak(maps)
    assert cell[0].tolist() == [[7, 4], [0, 0], [0, 0]]
    assert value[0].tolist() == [0.5, -1, 0]


def test_a_map_without_a_positive_cell_scores_0():
    codec = Heatmap(points=2, grid=Grid.of((64, 48), 4))
    poses = codec.decode({"heatmap": torch.stack((torch.zeros(16, 12), torch.full((16, 12), -2.0)))[None]})
    assert torch.equal(poses.score, torch.zeros(1, 1, 2))
    assert torch.equal(poses.xy, torch.full((1, 1, 2, 2), 2.0))


def test_nan_cells_are_never_chosen():
    maps = torch.full((1, 1, 16, 12), float("nan"))
    maps[0, 0, 7, 5] = 0.3
    assert peak(sane(maps))[0].tolist() == [[[5, 7]]]
    poses = Heatmap(points=1, grid=Grid.of((64, 48), 4)).decode({"heatmap": maps})
    assert poses.xy.tolist() == [[[[22.0, 30.0]]]]
    assert poses.score.item() == pytest.approx(0.3)


@settings(deadline=None, max_examples=25)
@given(x=st.floats(10, 38), y=st.floats(10, 54), dx=st.integers(-5, 5), dy=st.integers(-5, 5))
def test_a_step_of_a_stride_is_a_step_of_a_cell(x, y, dx, dy):
    grid = Grid.of(IMAGE, 4)
    codec = Heatmap(points=1, grid=grid, sigma=4.0)
    xy = one_point(grid, x, y)
    here = codec.encode(instances(xy)).maps["heatmap"]
    there = codec.encode(instances(xy + torch.tensor([4.0 * dx, 4.0 * dy]))).maps["heatmap"]
    # Within 5 cells of the border the maps are cut differently.
    rolled = here.roll((dy, dx), dims=(-2, -1))
    assert torch.allclose(there[..., 5:-5, 5:-5], rolled[..., 5:-5, 5:-5], atol=1e-9)


@pytest.mark.parametrize(("kind", "residue"), [(Grid, 0.0), (AlignedGrid, 0.0), (RatioGrid, 0.25)])
def test_what_a_flip_leaves(kind, residue):
    # Ratio grids keep an error of 1 / s cells after HRNet's shift by one cell.
    grid = kind.of(IMAGE, 4)
    codec = Heatmap(points=1, grid=grid, blur=0)
    xy = one_point(grid, 20.3, 30.7)
    mirror = xy * torch.tensor([-1.0, 1.0]) + torch.tensor([192.0, 0.0])
    maps = codec.flip({"heatmap": codec.encode(instances(mirror)).maps["heatmap"]}, (0,))
    off = grid.cells(codec.decode(maps).xy) - grid.cells(xy)
    assert torch.allclose(off[0, 0, 0], torch.tensor([residue, 0.0], dtype=torch.float64), atol=1e-9)


def test_a_mirrored_ratio_map_is_moved_by_a_cell():
    row = torch.tensor([0.0, 0.0, 1.0, 0.5, 0.0]).reshape(1, 1, 1, 5)
    grid = RatioGrid.of((4, 20), 4)
    assert mirrored(row, (0,), grid).flatten().tolist() == [0, 0, 0.5, 1, 0]
    assert mirrored(row, (0,), Grid.of((4, 20), 4)).flatten().tolist() == [0, 0.5, 1, 0, 0]


def test_flipping_swaps_mirror_points():
    maps = torch.rand(B, K, 16, 12)
    back = Heatmap(points=K, grid=Grid.of((64, 48), 4)).flip({"heatmap": maps}, FIVE.flip)["heatmap"]
    assert torch.equal(back[:, 1], maps[:, 2].flip(-1))
    assert torch.equal(back[:, 0], maps[:, 0].flip(-1))


def test_a_map_of_zeros_says_a_tenth_everywhere():
    codec = Heatmap(points=K, grid=Grid.of(IMAGE, 4), activation="sigmoid")
    zeros = {"heatmap": torch.zeros(B, K, *codec.grid.shape)}
    torch.testing.assert_close(codec.activate(zeros)["heatmap"], torch.full_like(zeros["heatmap"], 0.1))
    torch.testing.assert_close(codec.decode(zeros).score, torch.full((B, 1, K), 0.1))
