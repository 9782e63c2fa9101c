"""Soft arg-max, Gaussians, divergences and the focal loss under the equalized one against kornia 0.9.0."""

from __future__ import annotations

import pytest
import torch
from parity_table import agrees, labels, remakes, stored

from posekit.codecs.dsnt import Dsnt
from posekit.codecs.integral import Integral
from posekit.geometry.grid import Grid
from posekit.losses.divergence import js, kl
from posekit.losses.equalized import equalized_focal

H, W, K, STRIDE = 9, 8, 3, 4
GRID = Grid.of((H * STRIDE, W * STRIDE), STRIDE)
# Powers of the focal loss: of a point that does not lag, and of those that pull half and nothing.
GAMMAS = (2.0, 6.0, 10.0)


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return stored("kornia")


@pytest.mark.parametrize(("row", "beta"), [(0, 1.0), (1, 10.0)])
def test_soft_arg_max(golden, row, beta):
    codec, maps = Integral(points=K, grid=GRID, beta=beta), {"heatmap": golden["maps"]}
    for xy in (codec.decode(maps).xy, codec.activate(maps)["xy"]):
        agrees("integral decode, cells", (GRID.cells(xy[:, 0]), golden["argmax"][row]))


def test_gaussian(golden):
    # In kornia the Gaussian's width was given in cells along x and y; ours is one of image pixels.
    place, sigma = golden["place"], 1.25 * STRIDE
    wide = Grid(height=H, width=W, image_height=round(H * sigma), image_width=W * STRIDE)
    codec = Dsnt(points=K, grid=wide, sigma=sigma, outside="ignore")
    target = codec.encode(labels(wide.pixels(place), torch.ones(place.shape[:2])))
    agrees("gaussian of two widths", (target.maps["probability"], golden["gauss"]))


def test_divergences(golden):
    p = golden["maps"].flatten(2).softmax(-1).reshape(golden["maps"].shape)
    agrees("divergence of maps", (js(p, golden["gauss"]), golden["js"]), relative=True)
    agrees("divergence of maps", (kl(p, golden["gauss"]), golden["kl"]), relative=True)


def test_equalized_focal_at_fixed_powers(golden):
    logits, positive = 3 * golden["maps"], golden["positive"] > 0
    for gamma, theirs in zip(GAMMAS, golden["focal"], strict=True):
        powers = torch.full((K, 1, 1), gamma)
        ours = equalized_focal(logits, positive, powers, powers / 2, 0.25)
        agrees("efl, cells", (ours, gamma / 2 * theirs), relative=True)


@pytest.mark.parity
def test_kornia_goldens_are_what_kornia_says(tmp_path):
    remakes("kornia", "make_kornia_goldens.py", "POSEKIT_KORNIA_PYTHON", tmp_path)
