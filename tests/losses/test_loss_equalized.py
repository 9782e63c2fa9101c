"""Equalized focal losses: closed-form gradients, accumulated sums, and several processes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from codec_cases import FIVE
from sizes import B, K

from posekit.codecs.base import Target
from posekit.losses.equalized import (
    Balance,
    Efl,
    Eqfl,
    equalized_focal,
    equalized_focal_pull,
    quality_focal_pull,
)
from posekit.losses.focal import quality_focal

H, W = 7, 3


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def balanced(ratio, points=1):
    balance = Balance(points, 2.0, 8.0).double()
    balance.ratio.fill_(ratio)
    return balance


def maps_and_target(name="peaks", seed=0, unknown=()):
    """Random logits, and a target that is exactly 1 in one cell of every map."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(B, K, H, W, generator=generator, dtype=torch.float64)
    truth = 0.9 * torch.rand(B, K, H, W, generator=generator, dtype=torch.float64)
    truth[..., 2, 1] = 1
    weight = torch.ones(B, K, 1, 1, dtype=torch.float64)
    for where in unknown:
        weight[where] = 0
    xy = torch.zeros(B, 1, K, 2, dtype=torch.float64)
    return {name: logits}, Target({name: truth, "xy": xy}, {name: weight, "xy": xy[..., :1]})


@pytest.mark.parametrize(
    ("ratio", "losses", "slopes"),
    [
        (1.0, (0.147486669, 0.024075559), (-0.174242, 0.053956)),
        (0.5, (0.106234647, 5.850361e-4), (-0.252988, 2.949227e-3)),
        (0.0, (0.042511565, 7.897987e-6), (-0.152251, 6.192892e-5)),
    ],
)
def test_by_hand(ratio, losses, slopes):
    logits = double(0.3, 0.3).logit().reshape(2, 1, 1, 1).requires_grad_()
    positive = torch.tensor([True, False]).reshape(2, 1, 1, 1)
    powers = balanced(ratio)()
    value = equalized_focal(logits, positive, *powers, 0.25)
    assert value.flatten().tolist() == pytest.approx(losses, rel=1e-6)
    value.sum().backward()
    assert logits.grad.flatten().tolist() == pytest.approx(slopes, rel=1e-5)
    pull = equalized_focal_pull(logits.detach(), positive, *powers, 0.25)
    assert torch.allclose(pull, logits.grad.abs())


@pytest.mark.parametrize("power", [1.0, 2.0, 7.3])
def test_the_closed_form_of_the_quality_focal_loss(power):
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64).repeat(3, 1).requires_grad_()
    target, gamma = double(0, 0.3, 1)[:, None].expand(3, 25), double(power)
    quality_focal(logits, target, gamma).sum().backward()
    assert torch.allclose(quality_focal_pull(logits.detach(), target, gamma), logits.grad.abs())


def test_power_and_factor_follow_from_the_sums():
    balance = Balance(1, 2.0, 8.0).double()
    pull = double(3, 12).reshape(2, 1, 1, 1)
    balance.learn(pull, double(1, 0).reshape(2, 1, 1, 1))
    gamma, factor = balance()
    assert (balance.ratio.item(), gamma.item(), factor.item()) == pytest.approx((0.25, 8, 4))


def test_one_positive_and_four_negatives_that_pull_alike():
    # At g = 1 a negative with this probability pulls like a positive at .3.
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        pull = equalized_focal_pull(double(middle).logit(), torch.tensor(False), double(2), double(1), 0.25)
        low, high = (middle, high) if pull < 0.1742420 else (low, middle)
    logits = double(0.3, low, low, low, low).logit().reshape(1, 1, 1, 5)
    truth = double(1, 0, 0, 0, 0).reshape(1, 1, 1, 5)
    one = torch.ones(1, 1, 1, 1)
    target = Target({"peaks": truth, "xy": one}, {"peaks": one, "xy": one})
    module = Efl().build(FIVE).double()
    module.balance = Balance(1, 2.0, 8.0).double()
    module({"peaks": logits}, target)
    assert module.balance.ratio.item() == pytest.approx(0.25, abs=1e-5)


def test_it_starts_as_the_focal_loss():
    output, target = maps_and_target()
    p, positive = output["peaks"].sigmoid(), target.maps["peaks"] == 1
    right = torch.where(positive, p, 1 - p)
    plain = torch.where(positive, 0.25, 0.75) * (1 - right) ** 2 * -right.log()
    value = Efl().build(FIVE).double()(output, target)["efl"]
    assert value.item() == pytest.approx(plain.sum().item() / (B * K))


@pytest.mark.parametrize(("config", "name"), [(Efl(), "peaks"), (Eqfl(), "logits")])
def test_the_sums_are_those_of_autograd(config, name):
    target = maps_and_target(name, unknown=[(0, 1)])[1]
    module = config.build(FIVE).double()
    for seed in (3, 4):
        logits = maps_and_target(name, seed)[0][name].requires_grad_()
        before = {key: value.clone() for key, value in module.balance.state_dict().items()}
        (term,) = module({name: logits}, target).values()
        term.backward()
        truth = target.maps[name]
        share = (truth == 1).double() if name == "peaks" else truth
        grad = logits.grad.abs()
        after = module.balance.state_dict()
        assert torch.allclose(after["positive"] - before["positive"], (grad * share).sum((0, 2, 3)))
        assert torch.allclose(after["negative"] - before["negative"], (grad * (1 - share)).sum((0, 2, 3)))
        assert torch.allclose(after["ratio"], (after["positive"] / after["negative"]).clamp(0, 1))
    assert (after["ratio"] < 1).any()


@pytest.mark.parametrize(("config", "name"), [(Efl(), "peaks"), (Eqfl(), "logits")])
def test_it_learns_once_a_forward_and_in_training_only(config, name):
    output, target = maps_and_target(name)
    module = config.build(FIVE).double()
    first = module(output, target)
    once = module.balance.positive.clone()
    assert (once > 0).all()
    module.eval()
    second = module(output, target)
    assert second != first
    assert torch.equal(module.balance.positive, once)
    with torch.no_grad():
        assert module(output, target) == second


def test_a_point_that_was_never_seen_stays_as_it_began():
    output, target = maps_and_target(unknown=[(0, 2), (1, 2)])
    output["peaks"][:, 2] = float("nan")
    module = Efl().build(FIVE).double()
    module(output, target)
    assert module.balance.ratio[2].item() == 1
    assert (module.balance.ratio[[0, 1, 3, 4]] < 1).all()
    assert module.balance.positive[2].item() == module.balance.negative[2].item() == 0


def test_a_restored_loss_goes_on_where_it_was():
    output, target = maps_and_target()
    whole = Efl().build(FIVE).double()
    whole(output, target)
    resumed = Efl().build(FIVE).double()
    resumed.load_state_dict(whole.state_dict())
    other = maps_and_target(seed=9)[0]
    assert resumed(other, target) == whole(other, target)
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in whole.state_dict().items())
    assert Efl().build(FIVE).double()(other, target) != resumed(other, target)


PROBE = """
import os, sys
sys.path[:0] = {path!r}
import torch
from test_loss_equalized import Efl, FIVE, maps_and_target
child = os.fork()  # one start of the interpreter for two processes
rank = 0 if child else 1
torch.distributed.init_process_group("gloo", init_method="file://{folder}/meet", rank=rank, world_size=2)
module = Efl().build(FIVE).double()
module(*maps_and_target(seed=rank))
torch.save(module.state_dict(), f"{folder}/{{rank}}.pt")
torch.distributed.destroy_process_group()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_two_processes_share_their_sums(tmp_path):
    here = Path(__file__).parent
    code = PROBE.format(path=[str(here), str(here.parent)], folder=tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    alone = []
    for rank in (0, 1):
        module = Efl().build(FIVE).double()
        module(*maps_and_target(seed=rank))
        alone.append(module.state_dict())
    for name, value in first.items():
        assert torch.equal(value, second[name])
        if not name.endswith("ratio"):
            assert torch.allclose(value, alone[0][name] + alone[1][name])
            assert not torch.allclose(alone[0][name], alone[1][name])
