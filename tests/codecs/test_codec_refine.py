"""From a highest cell to a place between cells."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.codecs.cells import bell, outer
from posekit.codecs.dark import refine_dark, refine_line
from posekit.codecs.ranking import peak
from posekit.codecs.refine import refine_parabola, refine_quarter
from posekit.codecs.smoothing import window, window_width

ROWS = [
    [0.05, 0.10, 0.12, 0.08, 0.04],
    [0.10, 0.40, 0.55, 0.35, 0.10],
    [0.12, 0.60, 1.00, 0.80, 0.20],
    [0.08, 0.30, 0.50, 0.45, 0.12],
    [0.03, 0.08, 0.10, 0.09, 0.05],
]
PATCH = torch.tensor(ROWS, dtype=torch.float64)[None, None]


def gaussian(x, y, sigma=2.0, size=(24, 20)):
    """(1, 1, H, W)."""
    center = torch.tensor([[x, y]], dtype=torch.float64)
    return outer(bell(center[:, 1], size[0], sigma), bell(center[:, 0], size[1], sigma))[None]


def test_the_5_by_5_patch():
    cell = torch.tensor([[[2, 2]]])
    dark = refine_dark(PATCH, cell, blur=1)[0, 0]
    assert dark.tolist() == pytest.approx([2.150691, 1.975265], abs=1e-6)
    assert refine_quarter(PATCH, cell)[0, 0].tolist() == [2.25, 1.75]


def test_near_the_border_dark_stays():
    maps = gaussian(1.2, 9.3)
    cell, _ = peak(maps)
    assert cell.tolist() == [[[1, 9]]]
    assert refine_dark(maps, cell, blur=1).tolist() == [[[1.0, 9.0]]]
    # The parabola wants one neighbour on each side of each axis only.
    assert refine_parabola(maps, cell)[0, 0].tolist() == pytest.approx([1.2, 9.3])


@settings(deadline=None, max_examples=25)
@given(x=st.floats(3, 16), y=st.floats(3, 20), sigma=st.floats(0.8, 3))
def test_clean_gaussians_are_exact(x, y, sigma):
    maps = gaussian(x, y, sigma)
    cell, _ = peak(maps)
    for refined in (refine_dark(maps, cell, blur=1), refine_parabola(maps, cell)):
        assert refined[0, 0].tolist() == pytest.approx([x, y], abs=1e-6)


@pytest.mark.parametrize("refine", [refine_quarter, refine_parabola, refine_dark, lambda m, c: refine_dark(m, c, 1)])
def test_every_rule_stays_close_and_finite(refine):
    noise = torch.randn(B, K, 16, 12, generator=torch.Generator().manual_seed(3))
    for maps in (noise, noise * 1e-12, noise * 1e12, torch.zeros_like(noise), noise.round()):
        cell, _ = peak(maps)
        refined = refine(maps, cell)
        assert refined.isfinite().all()
        assert (refined - cell).abs().max() <= 1
        assert (refined >= 0).all()
        assert (refined <= torch.tensor([11.0, 15.0])).all()


def test_a_saddle_is_left_alone():
    # Highest cell of a ridge that bends up along y two cells away: the Hessian is not negative definite.
    maps = torch.full((1, 1, 9, 9), 0.01)
    maps[0, 0, 4, 4] = 0.5
    maps[0, 0, [2, 6], [4, 4]] = 0.499
    maps[0, 0, [3, 5], [4, 4]] = 0.01
    maps[0, 0, 4, [2, 6]] = 0.499
    assert refine_dark(maps, torch.tensor([[[4, 4]]]), blur=1).tolist() == [[[4.0, 4.0]]]


def test_a_long_step_is_cut_to_a_cell():
    maps = torch.full((1, 1, 9, 9), 0.1)
    maps[0, 0, 4] = torch.tensor([0.1, 0.1, 0.1, 0.01, 1.0, 0.999, 0.99, 0.9, 0.1])
    maps[0, 0, [2, 6], [4, 4]] = 0.1
    refined = refine_dark(maps, torch.tensor([[[4, 4]]]), blur=1)
    assert refined[0, 0, 0] == 5.0


def test_the_whole_map_need_not_be_smoothed():
    """The patch around a peak, smoothed by two small products, is the smoothed map's patch."""
    maps = torch.rand(B, K, 16, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    taps = torch.tensor(window(11), dtype=torch.float64)
    kernel = outer(taps, taps)[None, None]
    smooth = torch.nn.functional.conv2d(maps.reshape(B * K, 1, 16, 12), kernel, padding=5).reshape(maps.shape)
    cell, _ = peak(maps)
    assert torch.allclose(refine_dark(maps, cell, 11), refine_dark(smooth, cell, 1), atol=1e-9)


@pytest.mark.parametrize("width", [0, 4, 10])
def test_a_window_is_odd(width):
    with pytest.raises(ValueError, match=f"must be odd; got {width}, use {width + 1}"):
        window(width)


def test_windows():
    assert sum(window(11)) == pytest.approx(1)
    assert window(1) == [1.0]
    # Width 11 has sigma 0.3 (5 - 1) + 0.8 = 2.
    assert window(11)[6] / window(11)[5] == pytest.approx(0.882497, abs=1e-6)
    assert [window_width(sigma) for sigma in (1, 2, 3)] == [7, 11, 17]


@settings(deadline=None, max_examples=25)
@given(at=st.floats(20, 70), sigma=st.floats(2, 6))
def test_a_line_is_exact_too(at, sigma):
    line = bell(torch.tensor([[at]], dtype=torch.float64), 90, sigma)
    chosen = line.argmax(-1)
    assert refine_line(line, chosen, 1).item() == pytest.approx(at, abs=1e-6)
    assert refine_line(line, chosen, 2 * round(2.5 * sigma) + 1).item() == pytest.approx(at, abs=2e-3)


def test_a_line_at_its_end_stays():
    line = torch.tensor([0.2, 0.9, 0.7, 0.1, 0.0, 0.0, 0.0]).reshape(1, 1, 7)
    assert refine_line(line, line.argmax(-1), 1).item() == 1.0
