"""Learned weights of several losses."""

import math

import pytest
import torch

from posekit.losses.points import L1
from posekit.losses.rle import RleNll, RleNll3d
from posekit.losses.weighting import AutoWeight


def double(value):
    return torch.tensor(value, dtype=torch.float64)


def built(kind, *names):
    return AutoWeight(kind=kind).build({name: L1() for name in names}).double()


def total(module, **values):
    return sum(module({name: double(value) for name, value in values.items()}).values())


def test_none_builds_nothing():
    assert AutoWeight().build({"l1": L1()}) is None


def test_by_hand():
    assert total(built("liebel_koerner", "a", "b"), a=1.0, b=2.0).item() == pytest.approx(2.886294, abs=1e-6)
    assert total(built("kendall", "a", "b"), a=1.0, b=2.0).item() == pytest.approx(1.5)
    # Kendall at s = 2 ln 3: 18 / 2 / 9 + ln 3.
    module = built("kendall", "a")
    with torch.no_grad():
        module.log_squares["a"].fill_(2 * math.log(3))
    assert total(module, a=18.0).item() == pytest.approx(1 + math.log(3))


@pytest.mark.parametrize(
    ("loss", "square", "value"),
    [(0.1, 0.25, 0.423144), (1, 1, 1.193147), (2, 1.618034, 1.580458), (4, 2.732051, 2.049009)],
)
def test_the_best_weight_of_a_loss(loss, square, value):
    assert (loss + math.sqrt(loss**2 + 8 * loss)) / 4 == pytest.approx(square, abs=1e-6)
    module = built("liebel_koerner", "a")
    with torch.no_grad():
        module.log_squares["a"].fill_(math.log(square))
    best = total(module, a=float(loss))
    assert best.item() == pytest.approx(value, abs=1e-6)
    best.backward()
    assert module.log_squares["a"].grad.item() == pytest.approx(0, abs=1e-6)


def test_descent_finds_the_best_weight():
    module = built("liebel_koerner", "a")
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = total(module, a=2.0)
        value.backward()
        return value

    optimiser.step(closure)
    assert module.log_squares["a"].exp().item() == pytest.approx(1.618034, abs=1e-4)


@pytest.mark.parametrize("kind", ["liebel_koerner", "kendall"])
def test_terms_keep_their_names_and_share_the_weight_of_their_loss(kind):
    module = built(kind, "dsnt", "bone")
    with torch.no_grad():
        module.log_squares["dsnt"].fill_(math.log(4))
    terms = module({"dsnt": double(8.0), "dsnt.js": double(16.0), "bone": double(3.0)})
    assert list(terms) == ["dsnt", "dsnt.js", "bone", "auto_weight.bone", "auto_weight.dsnt"]
    assert [terms[name].item() for name in ("dsnt", "dsnt.js", "bone")] == pytest.approx([1, 2, 1.5])
    own = {"liebel_koerner": (math.log(5), math.log(2)), "kendall": (math.log(2), 0)}[kind]
    assert (terms["auto_weight.dsnt"].item(), terms["auto_weight.bone"].item()) == pytest.approx(own)


def test_weights_are_found_by_name():
    state = built("kendall", "l1", "bone").state_dict()
    assert set(state) == {"log_squares.l1", "log_squares.bone"}
    other = built("kendall", "bone", "l1")
    with torch.no_grad():
        other.log_squares["l1"].fill_(3)
    module = built("kendall", "l1", "bone")
    module.load_state_dict(other.state_dict())
    assert module.log_squares["l1"].item() == 3
    assert module.log_squares["bone"].item() == 0


def test_a_loss_that_falls_below_0_is_refused():
    with pytest.raises(ValueError, match=r"never negative; \['density', 'rle3d'\] are log-likelihoods"):
        AutoWeight(kind="kendall").build({"l1": L1(), "density": RleNll(), "rle3d": RleNll3d()})
