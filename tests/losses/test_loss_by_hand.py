"""Losses against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import FIVE

from posekit.codecs.base import Target
from posekit.losses.base import known, weighted_mean
from posekit.losses.divergence import DsntLoss, js, kl, kl_bins, variance_squares
from posekit.losses.heatmaps import Mse, Ohkm
from posekit.losses.points import L1, smooth_l1, wing


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_mean_over_what_counts():
    loss = double([1, float("nan")], [3, 5]).requires_grad_()
    mean = weighted_mean(loss, double([1, 0], [1, 0]))
    assert mean.item() == 2
    mean.backward()
    assert loss.grad.tolist() == [[0.5, 0], [0.5, 0]]
    # Weights broadcast and may be fractions: (1 + 2) * 0.5 + (3 + 5) * 1 over 3.
    assert weighted_mean(double([1, 2], [3, 5]), double([0.5], [1])).item() == pytest.approx(9.5 / 3)
    # They may add up to less than 1: (4 * 0.2 + 1 * 0.1) / 0.3.
    assert weighted_mean(double([4, 1]), double([0.2, 0.1])).item() == pytest.approx(3)
    nothing = weighted_mean(loss, torch.zeros(2, 2))
    assert nothing.item() == 0
    assert nothing.requires_grad


def test_known_keeps_a_clean_gradient():
    value = double(2, float("nan")).requires_grad_()
    known(value, double(1, 0)).square().sum().backward()
    assert value.grad.tolist() == [4, 0]


def maps_of(weight):
    """Two points on 2 x 2 cells: squares sum to .25 and 1."""
    output = {"heatmap": double([[0.5, 0], [0, 0]], [[0, 0], [0, 1]])[None]}
    target = torch.zeros_like(output["heatmap"])
    target[0, 0, 0, 0] = 1
    xy = torch.zeros(1, 1, 2, 2)
    weight = double(*weight).reshape(1, 2, 1, 1)
    return output, Target({"heatmap": target, "xy": xy}, {"heatmap": weight, "xy": xy[..., :1]})


@pytest.mark.parametrize(
    ("weight", "mean"), [((1, 1), 0.15625), ((1, 0), 0.0625), ((0, 1), 0.25), ((0.5, 0.5), 0.15625)]
)
def test_mse(weight, mean):
    # Means over cells are .0625 and .25; the mean is over what counts, not over all.
    assert Mse().build(FIVE)(*maps_of(weight))["mse"].item() == pytest.approx(mean)


def four_maps(values, weight):
    """One cell a point whose square error is the value."""
    output = {"heatmap": double(*values).sqrt().reshape(1, 4, 1, 1)}
    xy = torch.zeros(1, 1, 4, 2)
    zero, counted = torch.zeros_like(output["heatmap"]), double(*weight).reshape(1, 4, 1, 1)
    return output, Target({"heatmap": zero, "xy": xy}, {"heatmap": counted, "xy": xy[..., :1]})


@pytest.mark.parametrize(
    ("weight", "mean"), [((1, 1, 1, 1), 0.45), ((1, 0, 1, 1), 0.3), ((0, 1, 0, 0), 0.5), ((0, 0, 0, 0), 0)]
)
def test_ohkm(weight, mean):
    module = Ohkm(hardest=2).build(FIVE)
    assert module(*four_maps((0.1, 0.5, 0.2, 0.4), weight))["ohkm"].item() == pytest.approx(mean)


def test_ohkm_follows_the_number_of_points():
    assert Ohkm().build(FIVE).hardest == 2  # 8 of 17, here of 5
    with pytest.raises(ValueError, match="wants the 8 hardest points and 'five' has 5: use at most that"):
        Ohkm(hardest=8).build(FIVE)


def test_points():
    assert smooth_l1(double(0.2, 1, 3), 1).tolist() == pytest.approx([0.02, 0.5, 2.5])
    distances = wing(double(1, 5, 10, 20), 10, 2)
    assert distances.tolist() == pytest.approx([4.054651, 12.527630, 17.917595, 27.917595], abs=1e-6)
    assert wing(double(9.999999999), 10, 2).item() == pytest.approx(wing(double(10), 10, 2).item())
    slopes = double(0, 12).requires_grad_()
    wing(slopes, 10, 2).sum().backward()
    assert slopes.grad.tolist() == [5, 1]


def test_distances_are_means_over_axes_and_known_points():
    xy = double([[1.0, 2.0], [5.0, 5.0], [0.0, 4.0]])[None]
    target = Target({"xy": torch.zeros_like(xy)}, {"xy": double([[1], [0], [1]])[None]})
    assert L1().build(FIVE)({"xy": xy}, target)["l1"].item() == pytest.approx(7 / 4)


def five_by_five():
    """The map worked out by hand, and the Gaussian (sigma 1) around cell (1, 2)."""
    Z = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    Z[0, 0, 1] = double(0, 0.1, 0.1, 0, 0)
    Z[0, 0, 2] = double(0.1, 0.6, 0.1, 0, 0)
    line = torch.arange(5, dtype=torch.float64)
    G = (-(line - 2)[:, None].square() / 2).exp() * (-(line - 1).square() / 2).exp()
    return Z, (G / G.sum())[None, None]


def test_divergences():
    Z, G = five_by_five()
    U = torch.full_like(Z, 1 / 25)
    assert js(Z, G).item() == pytest.approx(0.223627, abs=1e-6)
    assert kl(Z, G).item() == pytest.approx(0.790685, abs=1e-6)
    assert kl(U, G).item() == pytest.approx(1.049339, abs=1e-6)
    assert kl(G, U).item() == pytest.approx(0.595545, abs=1e-6)
    assert js(U, G).item() == pytest.approx(0.157965, abs=1e-6)
    assert js(G, U).item() == pytest.approx(js(U, G).item())
    assert js(double([[[1, 0]]]), double([[[0, 1]]])).item() == pytest.approx(math.log(2))
    assert js(double([[[[0.5, 0.5, 0, 0]]]]), torch.full((1, 1, 1, 4), 0.25)).item() == pytest.approx(
        0.215762, abs=1e-6
    )


@pytest.mark.parametrize(("name", "value"), [("variance", 1.2097), ("kl", 0.790685), ("js", 0.223627)])
def test_dsnt_terms(name, value):
    Z, G = five_by_five()
    output = {"coords": double([[-0.36, -0.08]]), "probability": Z, "variance": double([[0.29, 0.16]])}
    wanted = {"coords": double([[-0.4, 0]]), "probability": G, "variance": double([[1, 1]]), "xy": double([[[0, 0]]])}
    one = torch.ones(1, 1, 1)
    target = Target(wanted, {"coords": one, "probability": one[..., None], "variance": one, "xy": one[..., None]})
    terms = DsntLoss(regulariser=name, strength=2.0, weight=3.0).build(FIVE)(output, target)
    assert terms["dsnt"].item() == pytest.approx(3 * 0.0894427, abs=1e-6)
    assert terms[name].item() == pytest.approx(6 * value, abs=1e-5)
    assert variance_squares(output["variance"], wanted["variance"]).item() == pytest.approx(1.2097)


def test_divergence_of_bins():
    logits = double([[1, 2, 0, 0]])[None].requires_grad_()
    label = double([[0.1, 0.8, 0.1, 0]])[None]
    value = kl_bins(logits, label)
    assert value.item() == pytest.approx(0.154780, abs=1e-6)
    assert (value / 4).item() == pytest.approx(0.0386950, abs=1e-6)
    value.backward()
    assert torch.allclose(logits.grad, logits.detach().softmax(-1) - label)
    # A label that is cut off sums to less than 1: the pull is that much weaker.
    half = logits.detach().requires_grad_()
    kl_bins(half, 0.5 * label).backward()
    assert torch.allclose(half.grad, 0.5 * (half.detach().softmax(-1) - label))
