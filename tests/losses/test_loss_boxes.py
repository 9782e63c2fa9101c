"""Overlap of boxes, by hand and by its rules, and the loss that is made of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.base import Target
from posekit.geometry.boxes import iou as plain_iou
from posekit.losses.boxes import Giou, giou, iou

ONE, OTHER = torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([1.0, 1.0, 3.0, 3.0])
boxes = st.tuples(*[st.floats(-50, 50, width=32)] * 2, *[st.floats(0.5, 60, width=32)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def test_two_squares():
    # They share 1 of 7, and leave 2 of the 9 around both empty.
    assert iou(ONE, OTHER).item() == pytest.approx(1 / 7)
    assert giou(ONE, OTHER).item() == pytest.approx(-0.0793651, abs=1e-7)
    assert giou(ONE, ONE).item() == 1
    # Apart: nothing shared, 8 of the 16 around are covered.
    assert giou(ONE, torch.tensor([6.0, 0.0, 8.0, 2.0])).item() == pytest.approx(-0.5)


def test_boxes_without_extent_are_numbers():
    flat = torch.tensor([1.0, 1.0, 1.0, 1.0])
    assert iou(flat, flat).item() == 0
    assert giou(flat, flat).isfinite()
    assert giou(ONE, flat).item() == 0


@given(boxes, boxes)
@settings(max_examples=50, deadline=None)
def test_rules(one, other):
    a, b = (torch.tensor(box, dtype=torch.float64) for box in (one, other))
    assert iou(a, b).item() == pytest.approx(float(plain_iou(a.numpy()[None], b.numpy()[None])[0, 0]), abs=1e-9)
    assert -1 <= giou(a, b).item() <= iou(a, b).item() + 1e-12
    assert giou(a, b).item() == pytest.approx(giou(b, a).item())
    assert giou(3 * a + 7, 3 * b + 7).item() == pytest.approx(giou(a, b).item(), abs=1e-6)


def test_the_loss_is_of_sides_around_one_place_weighted_cell_by_cell():
    predicted = torch.tensor([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0], [9.0, 9.0, 9.0, 9.0]]).T[None]
    truth = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]).T[None]
    weight = torch.tensor([[[1.0, 0.5, 0.0]]])
    xy = torch.zeros(1, 1, 1, 2)
    target = Target({"box": truth, "xy": xy}, {"box": weight, "xy": xy[..., :1]})
    # The second covers a quarter of what it says: 1 - 1/4, with weight 0.5.
    value = Giou(weight=2.0).build(None)({"box": predicted}, target)["giou"]
    assert value.item() == pytest.approx(2 * 0.5 * 0.75 / 1.5)
    assert Giou(of="size").needs == {"size"}
