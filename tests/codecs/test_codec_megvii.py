"""Megvii's windows and maps against OpenCV's, and its step toward the second peak."""

import math

import cv2
import numpy as np
import pytest
import torch
from codec_cases import instances

from posekit.codecs.megvii import Megvii, window_taps
from posekit.codecs.refine import refine_second
from posekit.codecs.smoothing import window
from posekit.geometry.grid import Grid

GRID = Grid.of((256, 192), 4)


def drawn(xy, kernels=(15, 11, 9, 7)):
    """Target of one point in image pixels."""
    codec = Megvii(points=1, grid=GRID, kernels=kernels)
    return codec.encode(instances(torch.tensor(xy, dtype=torch.float64).reshape(1, 1, 1, 2)))


@pytest.mark.parametrize(("width", "sigma"), [(5, 1.1), (7, 1.4), (9, 1.7), (11, 2.0), (15, 2.6), (17, 2.9), (23, 3.8)])
def test_sigma_follows_from_the_width(width, sigma):
    taps = window(width)
    middle = width // 2
    assert taps[middle + 1] / taps[middle] == pytest.approx(math.exp(-1 / (2 * sigma**2)))
    assert sum(taps) == pytest.approx(1)


@pytest.mark.parametrize(
    ("width", "taps"),
    [
        (3, (1, 2, 1)),
        (5, (1, 4, 6, 4, 1)),
        (7, (8, 28, 56, 72, 56, 28, 8)),
        (9, (4, 13, 30, 51, 60, 51, 30, 13, 4)),
    ],
)
def test_small_windows_are_fixed(width, taps):
    assert window_taps(width) == pytest.approx([tap / max(taps) for tap in taps])
    assert len(window_taps(width)) == width
    assert sum(taps) == 2 ** round(math.log2(sum(taps)))


@pytest.mark.parametrize("width", range(3, 25, 2))
def test_windows_are_those_of_opencv(width):
    taps = cv2.getGaussianKernel(width, 0, cv2.CV_64F).ravel()
    np.testing.assert_allclose(window_taps(width), taps / taps.max(), atol=1e-9)


@pytest.mark.parametrize("width", range(3, 25, 2))
@pytest.mark.parametrize("cell", [(20, 31), (13, 40)])
def test_maps_are_those_of_opencv(width, cell):
    hot = np.zeros((64, 48))
    hot[cell[1], cell[0]] = 1
    smooth = cv2.GaussianBlur(hot, (width, width), 0)
    # Anywhere in the cell; the first corner counts as its own.
    for share in (0.0, 0.3, 0.999):
        target = drawn([4 * (cell[0] + share), 4 * (cell[1] + share)], (width,))
        np.testing.assert_allclose(target.maps["heatmap"][0, 0], smooth / smooth.max(), atol=1e-9)


@pytest.mark.parametrize("cell", [(0, 0), (2, 31), (47, 63)])
def test_a_window_is_cut_at_the_border(cell):
    target = drawn([4 * cell[0] + 1.0, 4 * cell[1] + 1.0], (11,)).maps["heatmap"][0, 0]
    far = drawn([4 * 24 + 1.0, 4 * 32 + 1.0], (11,)).maps["heatmap"][0, 0]
    wide = torch.zeros(64 + 128, 48 + 96, dtype=torch.float64)
    wide[32 + cell[1] : 96 + cell[1], 24 + cell[0] : 72 + cell[0]] = far
    assert torch.equal(target, wide[64:128, 48:96])
    assert target[cell[1], cell[0]] == 1


def test_levels_go_from_coarse_to_fine():
    target = drawn([83.0, 126.0], (15, 11, 9, 7, 5))
    levels = torch.cat((target.maps["coarse"], target.maps["heatmap"]), 1)[0]
    assert [(level > 0).sum().item() for level in levels] == [225, 121, 81, 49, 25]
    assert (levels[:, 31, 20] == 1).all()
    assert ((levels[:-1] - levels[1:]) >= -1e-12).all()
    assert target.weight["coarse"].shape == (1, 4, 1, 1)


def test_a_quarter_of_the_way_to_the_second_peak():
    maps = torch.zeros(1, 2, 16, 12, dtype=torch.float64)
    maps[0, :, 8, 6] = 1.0
    maps[0, 0, 10, 3] = 0.9
    maps[0, 1, 8, 7] = 0.9
    # (-3, 2) is sqrt(13) long; (1, 0) is 1.
    place = refine_second(maps, torch.tensor([[[6, 8], [6, 8]]]))
    long = 0.25 / math.sqrt(13)
    assert place.flatten().tolist() == pytest.approx([6 - 3 * long, 8 + 2 * long, 6.25, 8.0])
    # A cell's place in the crop is four times it plus two.
    poses = Megvii(points=2, grid=Grid.of((64, 48), 4)).decode({"heatmap": maps})
    assert torch.allclose(poses.xy[0], 4 * place + 2)


@pytest.mark.parametrize("kernels", [(), (8,), (7, 4)])
def test_windows_have_a_centre(kernels):
    with pytest.raises(ValueError, match="windows need odd widths, and at least one"):
        Megvii(points=1, grid=GRID, kernels=kernels)
