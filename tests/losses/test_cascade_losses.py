"""The losses of a cascade by hand: what counts, what is hard, what has no gradient."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.losses.cascade import STAGES, CascadeLoss, Wanted, face_loss, hardest, squared_length

B, K = 7, 5
FACE = [1.0, 0, 1, 0, 0, 0, 0]
"""Windows 0 and 2 are faces, 1, 3 and 4 none; of 5 the box, of 6 the points are known."""
FACE_KNOWN = [1.0, 1, 1, 1, 1, 0, 0]
BOX_KNOWN = [1.0, 0, 1, 0, 0, 1, 0]


def batch(seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    shapes = {"face": (B, 2), "box": (B, 4), "points": (B, K, 2)}
    output = {name: torch.randn(s, generator=draw, dtype=dtype, requires_grad=True) for name, s in shapes.items()}
    points_known = torch.zeros(B, K, dtype=dtype)
    points_known[6] = 1
    wanted = Wanted(
        face=torch.tensor(FACE, dtype=dtype),
        face_known=torch.tensor(FACE_KNOWN, dtype=dtype),
        box=torch.randn(B, 4, generator=draw, dtype=dtype),
        box_known=torch.tensor(BOX_KNOWN, dtype=dtype),
        points=torch.randn(B, K, 2, generator=draw, dtype=dtype),
        points_known=points_known,
    )
    return output, wanted


def test_terms_by_hand():
    output, wanted = batch()
    terms = CascadeLoss(hard=1.0).build()(output, wanted)
    logits = output["face"].detach().tolist()
    wrong = [math.log1p(math.exp(row[1 - int(face)] - row[int(face)])) for row, face in zip(logits, FACE, strict=True)]
    assert terms["face"].item() == pytest.approx(sum(wrong[:5]) / 5)
    box = ((output["box"] - wanted.box) ** 2).sum(1)
    assert terms["box"].item() == pytest.approx(0.5 * (box[0] + box[2] + box[5]).item() / 3)
    points = ((output["points"] - wanted.points) ** 2)[6].sum()
    assert terms["points"].item() == pytest.approx(0.5 * points.item())


def test_the_published_factors():
    factors = {name: (stage.face, stage.box, stage.points, stage.hard) for name, stage in STAGES.items()}
    assert factors == {"proposal": (1, 0.5, 0.5, 0.7), "refinement": (1, 0.5, 0.5, 0.7), "output": (1, 0.5, 1, 0.7)}


def test_only_the_hardest_windows_teach_what_a_face_is():
    output, wanted = batch()
    # Of five windows 70 % are 3.5, rounded up four: all but the easiest.
    face = face_loss(output["face"], wanted.face)[:5]
    expected = face.sort(descending=True).values[:4].mean()
    assert CascadeLoss().build()(output, wanted)["face"].item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("count", "kept"), [(10, 7), (30, 21), (70, 49), (1000, 700), (384, 269), (3, 3), (2, 2), (1, 1)]
)
def test_seventy_in_a_hundred_and_at_least_one(count, kept):
    loss = torch.rand(count, generator=torch.Generator().manual_seed(count))
    chosen = hardest(loss, torch.ones(count), 0.7)
    assert chosen.sum().item() == kept
    assert loss[chosen > 0].min() >= loss[chosen == 0].max() if kept < count else chosen.all()


def test_of_equal_losses_the_first_are_kept_and_the_number_stays():
    chosen = hardest(torch.full((10,), 0.25), torch.ones(10), 0.7)
    assert chosen.tolist() == [1] * 7 + [0] * 3
    chosen = hardest(torch.tensor([0.5, 0.1, 0.5, 0.5]), torch.ones(4), 0.5)
    assert chosen.tolist() == [1, 0, 1, 0]


def test_what_does_not_count_is_not_hard():
    loss = torch.tensor([9.0, 0.1, torch.nan, 0.3, 0.2])
    assert hardest(loss, torch.tensor([0.0, 1, 0, 1, 1]), 0.5).tolist() == [0, 0, 0, 1, 1]
    assert hardest(loss, torch.zeros(5), 0.7).tolist() == [0] * 5
    assert hardest(torch.zeros(0), torch.zeros(0), 0.7).tolist() == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40), st.sampled_from([0.3, 0.7, 1.0]))
def test_the_hardest_are_those_of_sorting_by_hand(pairs, share):
    loss, counts = torch.tensor([float(value) for value, _ in pairs]), torch.tensor([float(c) for _, c in pairs])
    counted = [i for i, (_, c) in enumerate(pairs) if c]
    keep = -(-round(share * 10) * len(counted) // 10)
    expected = set(sorted(counted, key=lambda i: -pairs[i][0])[:keep])
    assert {i for i, c in enumerate(hardest(loss, counts, share).tolist()) if c} == expected


@pytest.mark.parametrize("fill", [0.0, torch.nan, torch.inf])
def test_what_is_not_known_gives_nothing_and_has_no_gradient(fill):
    output, wanted = batch()
    expected = CascadeLoss(hard=1.0).build()(output, wanted)
    masks = {"face": wanted.face_known == 0, "box": wanted.box_known == 0, "points": wanted.points_known == 0}
    filled = {name: value.detach().clone() for name, value in output.items()}
    for name, mask in masks.items():
        filled[name][mask] = fill
        filled[name].requires_grad_()
    box, points = wanted.box.clone(), wanted.points.clone()
    box[masks["box"]], points[masks["points"]] = fill, fill
    terms = CascadeLoss(hard=1.0).build()(filled, dataclasses.replace(wanted, box=box, points=points))
    torch.stack(list(terms.values())).sum().backward()
    for name, mask in masks.items():
        assert terms[name].item() == pytest.approx(expected[name].item())
        assert (filled[name].grad[mask] == 0).all()
        assert filled[name].grad[~mask].abs().min() > 0


def test_nothing_known_is_zero_with_a_gradient_path():
    output, wanted = batch()
    nothing = {name: torch.zeros_like(getattr(wanted, name)) for name in ("face_known", "box_known", "points_known")}
    terms = CascadeLoss().build()(output, dataclasses.replace(wanted, **nothing))
    assert [term.item() for term in terms.values()] == [0, 0, 0]
    torch.stack(list(terms.values())).sum().backward()
    assert all((value.grad == 0).all() for value in output.values())


def test_half_the_points_weigh_as_much_as_all():
    output, wanted = batch()
    same = {**output, "points": wanted.points + 0.3}
    half = wanted.points_known.clone()
    half[6, ::2] = 0
    build = CascadeLoss().build()
    some = build(same, dataclasses.replace(wanted, points_known=half))["points"]
    # Five points, each 0.3 off in x and in y, and the factor.
    assert some.item() == pytest.approx(0.5 * 5 * 2 * 0.09)
    assert build(same, wanted)["points"].item() == pytest.approx(some.item())


def test_gradients():
    output, wanted = batch()
    names = list(output)

    def total(*values):
        terms = CascadeLoss(hard=1.0).build()(dict(zip(names, values, strict=True)), wanted)
        return torch.stack(list(terms.values())).sum()

    assert torch.autograd.gradcheck(total, tuple(output.values()))
    assert squared_length(torch.tensor([[3.0, 4.0], [0, 2]])).tolist() == [25, 4]


@pytest.mark.parametrize("wrong", [{"hard": 0.0}, {"hard": 1.5}, {"box": -1.0}, {"landmark": 1.0}])
def test_factors_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CascadeLoss(**wrong)
