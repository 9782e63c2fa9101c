"""Distillation: divergences by hand, their scale, and which points they count."""

import math

import pytest
import torch
from pydantic import TypeAdapter
from sizes import B, H, K, W

from posekit.codecs.base import Target
from posekit.losses.distillation import (
    AnyDistillation,
    Okdhp,
    Teacher,
    cells_kl,
    counted_channels,
    difference,
    feature_squares,
    lines_kl,
    okdhp_terms,
    ramp,
    reweighted,
)


def test_the_ramp_has_the_published_values():
    published = [0.006738, 0.060055, 0.286505, 0.731616, 1.0, 1.0]
    assert [ramp(time, 60) for time in (0, 15, 30, 45, 60, 90)] == pytest.approx(published, abs=1e-6)
    assert ramp(0, 0) == 1.0


def test_the_divergence_is_the_teachers_from_the_students():
    even, sure = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    assert lines_kl(output=sure, teacher=even).item() == pytest.approx(0.5108256, abs=1e-6)
    assert lines_kl(output=even, teacher=sure).item() == pytest.approx(0.3680642, abs=1e-6)
    cells = lines_kl(sure, even).reshape(1, 1)
    torch.testing.assert_close(cells_kl(sure.reshape(1, 1, 1, 2) + 3, even.reshape(1, 1, 2, 1) - 4), cells)


def test_equal_logits_diverge_by_nothing():
    logits = 5 * torch.randn(B, K, H, W)
    assert cells_kl(logits, logits).abs().max() == 0
    assert (cells_kl(logits, logits + torch.randn_like(logits)) > 0).all()


def test_a_high_temperature_keeps_the_gradients_size():
    """The limit of the divergence is half the mean square of centred logits' difference times their number."""
    output, teacher = torch.randn(B, 7, dtype=torch.float64), torch.randn(B, 7, dtype=torch.float64)
    apart = output - teacher
    expected = 0.5 * (apart - apart.mean(-1, keepdim=True)).square().mean(-1)
    torch.testing.assert_close(lines_kl(output, teacher, 1e4), expected, rtol=1e-3, atol=0)


def test_gradients():
    output = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: cells_kl(x, y, 0.7), (output, teacher))
    assert torch.autograd.gradcheck(feature_squares, (output, teacher))


def test_features_are_compared_in_shares_of_the_teachers():
    output, teacher = torch.randn(B, K, H, W), torch.randn(B, K, H, W)
    torch.testing.assert_close(feature_squares(50 * output, 50 * teacher), feature_squares(output, teacher))
    assert feature_squares(teacher, teacher).tolist() == [0.0] * B
    torch.testing.assert_close(feature_squares(torch.zeros_like(teacher), teacher).mean(), torch.tensor(1.0))


def test_maps_bins_and_numbers_are_each_compared_as_what_they_are():
    shapes = {"heatmap": (B, K, H, W), "x": (B, K, 9), "coords": (B, K, 2)}
    mine, other = ({name: torch.randn(shape) for name, shape in shapes.items()} for _ in range(2))
    weight = {name: torch.ones(B, K) for name in shapes}
    for form, maps in (
        ("mse", (mine["heatmap"] - other["heatmap"]).square().mean()),
        ("kl", cells_kl(mine["heatmap"], other["heatmap"], 2.0).mean()),
    ):
        expected = (
            maps + lines_kl(mine["x"], other["x"], 2.0).mean() + (mine["coords"] - other["coords"]).square().mean()
        )
        torch.testing.assert_close(difference(mine, other, weight, form, 2.0), expected)


@pytest.mark.parametrize("name", ["heatmap", "x", "coords"])
@pytest.mark.parametrize("form", ["kl", "mse"])
def test_what_is_not_counted_may_be_anything(name, form):
    shape = {"heatmap": (B, K, H, W), "x": (B, K, 9), "coords": (B, K, 2)}[name]
    mine = torch.randn(shape, requires_grad=True)
    other = torch.randn(shape)
    weight = torch.ones(B, K)
    weight[0, 1] = 0
    clean = difference({name: mine}, {name: other}, {name: weight}, form)
    spoilt = other.clone()
    spoilt[0, 1] = math.nan
    assert torch.equal(difference({name: mine}, {name: spoilt}, {name: weight}, form), clean)
    (slope,) = torch.autograd.grad(clean, mine)
    assert slope[0, 1].abs().max() == 0 and slope[1].abs().max() > 0


def test_the_published_losses_by_hand():
    torch.manual_seed(0)
    outputs, ensemble, target = (
        [torch.randn(B, K, H, W) for _ in range(3)],
        torch.randn(B, K, H, W),
        torch.rand(B, K, H, W),
    )
    found = okdhp_terms(outputs, ensemble, target, torch.ones(B, K), Okdhp(ensemble=1.5, distillation=2.0), grown=0.25)
    squares = sum(0.5 * (x - target).square().mean() for x in outputs)
    torch.testing.assert_close(found["labels"], squares)
    torch.testing.assert_close(found["ensemble"], 1.5 * 0.5 * (ensemble - target).square().mean())
    distillation = sum(cells_kl(x, ensemble).sum() / (B * H * W) for x in outputs)
    torch.testing.assert_close(found["distillation"], 2.0 * 0.25 * distillation)


@pytest.mark.parametrize("detach", [True, False])
def test_the_ensemble_follows_the_branches_only_where_asked(detach):
    outputs = [torch.randn(B, K, H, W, requires_grad=True) for _ in range(3)]
    ensemble = torch.randn(B, K, H, W, requires_grad=True)
    found = okdhp_terms(outputs, ensemble, torch.rand(B, K, H, W), torch.ones(B, K), Okdhp(detach=detach))
    *slopes, last = torch.autograd.grad(found["distillation"], [*outputs, ensemble], allow_unused=True)
    assert all(slope.abs().max() > 0 for slope in slopes)
    assert last is None if detach else last.abs().max() > 0


def target_of(**weights):
    maps = {name: torch.zeros(B, *shape) for name, shape in SHAPES.items() if name in weights}
    return Target(maps=maps, weight=weights)


SHAPES = {
    "xy": (1, K, 2),
    "heatmap": (K, H, W),
    "offset": (2 * K, H, W),
    "coarse": (3 * K, H, W),
    "paf": (2 * K, H, W),
    "coords": (K, 2),
}


def whole():
    known = (torch.rand(B, K) > 0.3).float()
    return known, target_of(
        xy=known[:, None, :, None],
        heatmap=known[..., None, None],
        offset=known.repeat_interleave(2, 1)[..., None, None] * torch.ones(H, W),
        coarse=known.repeat(1, 3)[..., None, None],
        paf=torch.ones(B, 2 * K, 1, 1),
        coords=known[..., None],
    )


def test_doubt_reaches_every_map_of_its_point():
    torch.manual_seed(0)
    known, target = whole()
    trust = torch.rand(B, K)
    found = reweighted(target, trust)
    assert found.maps is target.maps
    torch.testing.assert_close(found.weight["xy"][:, 0, :, 0], known * trust)
    torch.testing.assert_close(found.weight["heatmap"][..., 0, 0], known * trust)
    torch.testing.assert_close(found.weight["coords"][..., 0], known * trust)
    for k in range(K):
        for axis in (0, 1):
            torch.testing.assert_close(
                found.weight["offset"][:, 2 * k + axis, 3, 4], target.weight["offset"][:, 2 * k, 3, 4] * trust[:, k]
            )
        for level in range(3):
            torch.testing.assert_close(found.weight["coarse"][:, level * K + k, 0, 0], known[:, k] * trust[:, k])
    assert torch.equal(found.weight["paf"], target.weight["paf"])


def test_full_trust_changes_nothing():
    _, target = whole()
    found = reweighted(target, torch.ones(B, K))
    assert all(torch.equal(found.weight[name], value) for name, value in target.weight.items())


def test_what_counts_of_raw_maps_is_what_the_target_knows():
    torch.manual_seed(0)
    known, target = whole()
    maps = {"heatmap": torch.randn(B, K, H, W), "sigma": torch.randn(B, K, 2), "paf": torch.randn(B, 2 * K, H, W)}
    maps["offset"], maps["more"] = torch.randn(B, 2 * K, H, W), torch.randn(B, 7, H, W)
    counted = counted_channels(target, maps)
    assert torch.equal(counted["heatmap"], known) and torch.equal(counted["sigma"], known)
    assert torch.equal(counted["offset"], known.repeat_interleave(2, 1))
    assert torch.equal(counted["paf"], torch.ones(B, 2 * K)) and torch.equal(counted["more"], torch.ones(B, 7))


def test_a_channel_counts_where_one_of_its_cells_does():
    known, _ = whole()
    cells = torch.zeros(B, 2 * K, H, W)
    cells[0, 3, 1, 2] = 0.5
    counted = counted_channels(
        target_of(xy=known[:, None, :, None], offset=cells), {"offset": torch.randn(B, 2 * K, H, W)}
    )
    assert counted["offset"].nonzero().tolist() == [[0, 3]]
    assert counted["offset"][0, 3] == 0.5


@pytest.mark.parametrize("distillation", [Okdhp(branches=2, form="mse"), Teacher(source="runs/big", maps=2.0)])
def test_a_distillation_survives_json(distillation):
    adapter = TypeAdapter(AnyDistillation)
    assert adapter.validate_json(adapter.dump_json(distillation)) == distillation
    with pytest.raises(ValueError, match="factor"):
        adapter.validate_python({"kind": distillation.kind, "factor": 2})


def test_one_branch_teaches_nobody():
    with pytest.raises(ValueError, match="branches\n"):
        Okdhp(branches=1)
