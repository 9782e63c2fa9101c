"""Focal losses and CenterNet's gaussians against MMDetection 3.3.0."""

from __future__ import annotations

import pytest
import torch
from parity_table import agrees, labels, remakes, stored

from posekit.codecs.centers import CenterNet
from posekit.codecs.kernels import corner_radius
from posekit.geometry.grid import RatioGrid
from posekit.losses.divergence import cross_entropy
from posekit.losses.focal import peak_focal, quality_focal

STRIDE = 4
GRID = RatioGrid.of((72, 56), STRIDE)


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return stored("mmdet")


def test_radius(golden):
    width, height = golden["radius_sizes"].unbind(-1)
    ours = torch.stack([corner_radius(height, width, iou) for iou in (0.3, 0.7)], -1)
    agrees("centernet radius, cells", (ours, golden["radius"]))
    # CenterNet's own code, which ``compat`` repeats, takes wider ones; MMDetection corrected it as we do.
    assert bool((corner_radius(height, width, 0.7, compat=True) > 2 * golden["radius"][:, 1]).all())


def test_gaussians(golden):
    cells, boxes = golden["gaussian_cells"], golden["gaussian_boxes"] * STRIDE
    codec = CenterNet(points=1, grid=GRID)
    xy = GRID.pixels(cells)[:, None]
    boxes = torch.cat((torch.zeros_like(boxes), boxes), -1)
    target = codec.encode(labels(xy, torch.ones(len(cells), 1), boxes=boxes))
    agrees("centernet target", (target.maps["heatmap"][:, 0], golden["gaussians"]))


def test_focal_cell_by_cell(golden):
    ours = peak_focal(golden["logits"], golden["target"], 2.0, 4.0)
    agrees("focal, cells", (ours, golden["focal"]), relative=True)


def test_quality_focal_cell_by_cell(golden):
    agrees("qfl, cells", (quality_focal(golden["logits"], golden["target"], 2.0), golden["quality"]), relative=True)


def test_distribution_focal(golden):
    low = golden["label"].floor()
    high = golden["label"] - low
    bins = torch.arange(golden["bins"].shape[-1])
    target = torch.where(bins == low[:, None], 1 - high[:, None], 0.0)
    target = target + torch.where(bins == low[:, None] + 1, high[:, None], 0.0)
    agrees("dfl", (cross_entropy(golden["bins"], target), golden["distribution"]), relative=True)


@pytest.mark.parity
def test_mmdet_goldens_are_what_mmdet_says(tmp_path):
    remakes("mmdet", "make_mmdet_goldens.py", "POSEKIT_MMDET_PYTHON", tmp_path)
