"""DSNT's representation and losses against dsntnn 0.5.3, its author's code; both take means over the known points."""

from __future__ import annotations

import pytest
import torch
from parity_table import agrees, labels, remakes, stored

from posekit.codecs.base import Target
from posekit.codecs.dsnt import Dsnt
from posekit.geometry.grid import Grid
from posekit.losses.divergence import DsntLoss, DsntModule, js, kl, variance_squares

H, W, K, STRIDE = 9, 8, 4, 4
GRID = Grid.of((H * STRIDE, W * STRIDE), STRIDE)
CODEC = Dsnt(points=K, grid=GRID, sigma=float(STRIDE), outside="ignore")


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return stored("dsntnn")


def target_of(golden: dict[str, torch.Tensor], codec: Dsnt = CODEC) -> Target:
    """Theirs run from -1 to 1 over the map, which for us is the image."""
    xy = (golden["truth"] + 1) / 2 * torch.tensor((float(W * STRIDE), float(H * STRIDE)))
    return codec.encode(labels(xy, golden["mask"]))


def test_dsnt_target(golden):
    target, known = target_of(golden), golden["mask"] > 0
    agrees("dsnt target", (target.maps["coords"], golden["truth"]))
    agrees("dsnt target", (target.maps["probability"][known], golden["gauss"][known]))
    # A mean of cells lies between the outermost ones; by default we leave out points beyond.
    strict = target_of(golden, Dsnt(points=K, grid=GRID, sigma=float(STRIDE)))
    left_out = (strict.weight["coords"][..., 0] == 0) & known
    assert left_out.nonzero().tolist() == [[0, 0], [1, 2]]


def test_dsnt_means(golden):
    activated = CODEC.activate({"heatmap": golden["logits"]})
    agrees("dsnt mean", (activated["coords"], golden["coords"]), (activated["probability"], golden["maps"]))
    cells = GRID.cells(CODEC.decode({"heatmap": golden["logits"]}).xy[:, 0])
    agrees("dsnt mean, cells", (cells, golden["pixels"]))


def test_dsnt_point_by_point(golden):
    known = golden["mask"] > 0
    target, activated = target_of(golden), CODEC.activate({"heatmap": golden["logits"]})
    p, q = activated["probability"], target.maps["probability"]
    variance = variance_squares(activated["variance"], target.maps["variance"])
    for name, ours in (("js", js(p, q)), ("kl", kl(p, q)), ("variance", variance)):
        agrees(f"dsnt {name}", (ours[known], golden[f"{name}_each"][known]), relative=True)


@pytest.mark.parametrize("name", ["euclidean", "js", "kl", "variance"])
def test_dsnt_loss_and_gradient(golden, name):
    logits = golden["logits"].clone().requires_grad_()
    config = DsntLoss(regulariser="none" if name == "euclidean" else name)
    module = config.build(None)
    assert isinstance(module, DsntModule)
    terms = module(CODEC.activate({"heatmap": logits}), target_of(golden))
    loss = terms["dsnt" if name == "euclidean" else name]
    (slope,) = torch.autograd.grad(loss, logits)
    row = f"dsnt {name}"
    agrees(row, (loss.detach(), golden[f"{name}_loss"]), (slope, golden[f"{name}_slope"]), relative=True)


@pytest.mark.parity
def test_dsntnn_goldens_are_what_dsntnn_says(tmp_path):
    remakes("dsntnn", "make_dsntnn_goldens.py", "POSEKIT_DSNTNN_PYTHON", tmp_path)
