"""Binary classification losses: by hand, against cross-entropy, and with the moving average."""

import math

import pytest
import torch
from torch.nn import functional as F

from posekit.codecs.base import Target
from posekit.losses.classes import Bce, SigmoidFocal, sigmoid_focal


def target(truth, weight=None, name="class"):
    xy = torch.zeros(1, 1, 1, 2)
    weight = torch.ones_like(truth) if weight is None else weight
    return Target({name: truth, "xy": xy}, {name: weight, "xy": xy[..., :1]})


def test_by_hand():
    p = torch.tensor([0.8, 0.3, 0.1])
    loss = sigmoid_focal(p.logit(), torch.tensor([1.0, 0.0, 1.0]), 0.25, 2.0)
    expected = [-0.25 * 0.04 * math.log(0.8), -0.75 * 0.09 * math.log(0.7), -0.25 * 0.81 * math.log(0.1)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-5)


def test_without_focus_it_is_half_the_cross_entropy():
    logits = torch.randn(3, 5)
    truth = (torch.rand(3, 5) > 0.5).float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    torch.testing.assert_close(sigmoid_focal(logits, truth, 0.5, 0.0), entropy / 2)


def test_far_logits_stay_finite():
    logits = torch.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    loss = sigmoid_focal(logits, torch.tensor([1.0, 1.0, 0.0, 0.0]), 0.25, 2.0)
    loss.sum().backward()
    assert loss.tolist() == [2500, 0, 0, 7500]
    assert logits.grad.tolist() == [-0.25, 0, 0, 0.75]


def test_the_sum_is_divided_by_the_positives_that_count():
    truth = torch.tensor([[[1.0, 1.0, 0.0, 1.0]]])
    weight = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    logits = torch.tensor([[[0.5, -1.0, 2.0, 3.0]]])
    value = SigmoidFocal(weight=2.0).build(None)({"class": logits}, target(truth, weight))["sigmoid_focal"]
    cells = sigmoid_focal(logits, truth, 0.25, 2.0)[..., :3]
    assert value.item() == pytest.approx(2 * cells.sum().item() / 2)


def test_the_average_of_positives_moves_in_training_alone_and_is_saved():
    config = SigmoidFocal(average=0.9)
    module = config.build(None).train()
    many, few = torch.ones(1, 1, 40), torch.ones(1, 1, 20)
    logits = {n: torch.zeros(1, 1, n) for n in (20, 40)}
    cell = 0.25 * 0.25 * math.log(2)
    first = module({"class": logits[40]}, target(many))["sigmoid_focal"]
    assert first.item() == pytest.approx(cell)
    second = module({"class": logits[20]}, target(few))["sigmoid_focal"]
    # 0.9 * 40 + 0.1 * 20
    assert second.item() == pytest.approx(20 * cell / 38)
    assert module.amount.item() == pytest.approx(38)
    twin = config.build(None).eval()
    twin.load_state_dict(module.state_dict())
    still = twin({"class": logits[20]}, target(few))["sigmoid_focal"]
    assert still.item() == pytest.approx(20 * cell / 38)
    assert twin.amount.item() == pytest.approx(38)


def test_cross_entropy_of_soft_targets_is_least_at_them():
    truth = torch.tensor([[[0.3, 0.9, 0.5]]])
    module = Bce(weight=3.0).build(None)
    weight = torch.tensor([[[1.0, 1.0, 0.0]]])
    entropy = -(truth * truth.log() + (1 - truth) * (1 - truth).log())[..., :2].mean().item()
    aim = target(truth, weight, "centreness")
    assert module({"centreness": truth.logit()}, aim)["bce"].item() == pytest.approx(3 * entropy)
    for step in (-0.3, 0.3):
        assert module({"centreness": truth.logit() + step}, aim)["bce"].item() > 3 * entropy
