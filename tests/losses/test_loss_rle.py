"""The flow and the residual log-likelihood against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import FIVE
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.base import Target
from posekit.losses.flow import RealNvp
from posekit.losses.rle import RleNll


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def identity(**settings):
    """A module whose flow is the identity."""
    module = RleNll(**settings).build(FIVE).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module


def drawn(gain=3.0):
    """A flow that is far from the identity, the same one every time."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        flow = RealNvp().double()
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter.copy_(gain * torch.randn_like(parameter) / math.sqrt(parameter.shape[-1]) / 4)
    return flow


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 2.769460),
        ({"residual": "gaussian"}, 2.861042),
        ({"compat": "official"}, 3.103885),
        # Once instead of twice: less by log(.5) an axis.
        ({"log_sigma_terms": 1}, 2.769460 + 2 * math.log(2)),
    ],
)
def test_one_point(settings, expected):
    # sigma = .5, error (.2, -.2), log phi = -1.877877.
    module = identity(**settings)
    assert module.flow(double([[0.2, -0.2]])).item() == pytest.approx(-1.877877, abs=1e-6)
    nll = module.unreduced(
        double([[0.3, 0.4]])[None], torch.zeros(1, 1, 2, dtype=torch.float64), double([[0.2, 0.5]])[None]
    )
    assert nll.item() == pytest.approx(expected, abs=1e-6)


def test_another_point_through_the_module():
    output = {"coords": double([[0.01, -0.02]])[None], "sigma": double([[-3, -2]])[None]}
    target = Target(
        {"coords": double([[0.03, 0.01]])[None], "xy": torch.zeros(1, 1, 1, 2)},
        {"coords": torch.ones(1, 1, 1), "xy": torch.ones(1, 1, 1, 1)},
    )
    assert identity(weight=2.0)(output, target)["rle"].item() == pytest.approx(-2 * 4.374421, abs=1e-5)


def test_extreme_spreads_stay_finite():
    coords = double([[0.3, 0.4], [0.3, 0.4]])[None].requires_grad_()
    sigma = double([[-200, 200], [-1e4, 1e4]])[None].requires_grad_()
    identity().unreduced(coords, sigma, double([[0.2, 0.5], [0.3, 0.4]])[None]).sum().backward()
    assert coords.grad.isfinite().all()
    assert sigma.grad.isfinite().all()


def test_the_flow_has_the_published_size():
    module = RleNll().build(FIVE)
    assert sum(parameter.numel() for parameter in module.parameters()) == 53_784
    assert len(module.flow.scales) == len(module.flow.shifts) == 6
    assert module.flow.masks.tolist() == [[0, 1], [1, 0]] * 3


def test_a_new_flow_is_nearly_the_normal():
    x = torch.randn(7, 5, 2, dtype=torch.float64)
    normal = -0.5 * x.square().sum(-1) - math.log(2 * math.pi)
    assert (RealNvp().double()(x) - normal).abs().max() < 0.01


def test_one_coupling():
    # The second coordinate steers the first: S = tanh(.5), t = .3.
    flow = RealNvp(masks=((0.0, 1.0),)).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.zero_()
        flow.scales[0][4].bias.fill_(0.5)
        flow.shifts[0][4].bias.fill_(0.3)
    z, change = flow.to_latent(double(1, -0.5))
    assert z.tolist() == pytest.approx([0.440964, -0.5], abs=1e-6)
    assert change.item() == pytest.approx(-math.tanh(0.5))
    assert flow(double(1, -0.5)).item() == pytest.approx(-2.522219, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(x=st.floats(-5, 5), y=st.floats(-5, 5))
def test_there_and_back(x, y):
    flow, point = drawn(), double([x, y])
    assert torch.allclose(flow.from_latent(flow.to_latent(point)[0]), point, atol=1e-6)


def test_the_volume_is_that_of_the_jacobian():
    flow, point = drawn(), double(0.7, -1.2)
    jacobian = torch.autograd.functional.jacobian(lambda p: flow.to_latent(p)[0], point)
    assert flow.to_latent(point)[1].item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item())


def test_the_density_integrates_to_1():
    flow, step = drawn(1.0), 0.1
    line = torch.arange(-10, 10, step, dtype=torch.float64) + step / 2
    cells = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    with torch.no_grad():
        assert (flow(cells).exp().sum() * step * step).item() == pytest.approx(1, abs=1e-3)


def test_the_flow_learns_what_the_laplace_misses():
    # Errors lie on a ring, which no Laplace fits: its density must come from the flow.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = RealNvp()
        angle = torch.rand(512) * 2 * math.pi
        errors = torch.stack((angle.cos(), angle.sin()), -1) * 2 + 0.2 * torch.randn(512, 2)
    optimiser = torch.optim.Adam(flow.parameters(), 3e-3)
    first = -flow(errors).mean().item()
    for _ in range(60):
        optimiser.zero_grad()
        (-flow(errors).mean()).backward()
        optimiser.step()
    assert -flow(errors).mean().item() < first - 0.3
