"""Cells of several levels in one row, and their assignment to instances."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.one_stage.levels import Levels, assign, centreness

IMAGE = (128, 192)
LEVELS = Levels(IMAGE, (8, 16, 32))
WIDE = Levels((1024, 1024), (8, 16, 32, 64, 128))


def assigned_to(boxes, levels=LEVELS, region=1.5, present=None):
    boxes = torch.as_tensor(boxes, dtype=torch.float64)[None]
    there = torch.ones(boxes.shape[:2], dtype=torch.bool) if present is None else torch.tensor([present])
    return assign(levels, boxes, there, region, 8.0)[0]


def strides_with(assigned, levels, number=0):
    """Which levels have a cell of an instance."""
    parts = assigned.split(levels.counts)
    return [stride for stride, part in zip(levels.strides, parts, strict=True) if (part == number).any()]


def by_hand(levels, boxes, region):
    """The rule as a plain loop over cells."""
    result = []
    for index, (stride, grid) in enumerate(zip(levels.strides, levels.grids, strict=True)):
        low = 0 if index == 0 else 4 * stride
        high = float("inf") if index == len(levels.strides) - 1 else 8 * stride
        for i in range(grid.height):
            for j in range(grid.width):
                x, y = (j + 0.5) * stride, (i + 0.5) * stride
                best = (float("inf"), len(boxes))
                for n, (x0, y0, x1, y1) in enumerate(boxes):
                    sides = (x - x0, y - y0, x1 - x, y1 - y)
                    near = max(abs(x - (x0 + x1) / 2), abs(y - (y0 + y1) / 2)) < region * stride or not region
                    if min(sides) > 0 and near and low <= max(sides) <= high:
                        best = min(best, ((x1 - x0) * (y1 - y0), n))
                result.append(best[1])
    return result


def test_cells_stand_map_by_map_and_row_by_row():
    locations = LEVELS.locations(torch.zeros(0, dtype=torch.float64))
    assert locations.shape == (24 * 16 + 12 * 8 + 6 * 4, 2)
    assert locations[0].tolist() == [4, 4]
    assert locations[25].tolist() == [12, 12]
    assert locations[24 * 16].tolist() == [8, 8]
    assert locations[-1].tolist() == [176, 112]
    assert LEVELS.scale(locations).tolist() == [8] * 384 + [16] * 96 + [32] * 24
    maps = {
        name: torch.full((2, 3, *grid.shape), float(grid.width))
        for name, grid in zip(LEVELS.named("box"), LEVELS.grids, strict=True)
    }
    row = LEVELS.row(maps, "box")
    assert row.shape == (2, 3, 504)
    assert row[1, 2].tolist() == [24] * 384 + [12] * 96 + [6] * 24


@pytest.mark.parametrize(
    ("image", "strides", "message"),
    [
        ((128, 192), (8, 32), r"strides should double .* as in 8, 16, 32; got \(8, 32\)"),
        ((128, 192), (), r"strides should double"),
        ((128, 200), (8, 16), "a map of stride 16 needs multiples of it: use 128x208"),
    ],
)
def test_strides_that_do_not_fit_are_refused(image, strides, message):
    with pytest.raises(ValueError, match=message):
        Levels(image, strides)


@pytest.mark.parametrize(
    ("far", "strides"), [(63.9, [8]), (64.0, [8, 16]), (64.1, [16]), (128.0, [16, 32]), (128.1, [32])]
)
def test_both_ends_of_a_range_count(far, strides):
    # A centre of cells of every level, 100 pixels or more from all edges.
    x = y = 192.0 + 4
    boxes = []
    for stride in (8, 16, 32):
        place = torch.tensor([x, y]) // stride * stride + stride / 2
        boxes.append([*(place - 20).tolist(), place[0].item() + 20, place[1].item() + far])
    found = []
    for stride, box in zip((8, 16, 32), boxes, strict=True):
        centre = torch.tensor([[box[0] + 20, box[1] + 20]], dtype=torch.float64)
        locations = WIDE.locations(centre)
        cell = ((locations == centre).all(-1) & (WIDE.scale(centre) == stride)).nonzero().item()
        if assigned_to([box], WIDE, region=0)[cell] == 0:
            found.append(stride)
    assert found == strides


def test_a_box_of_300_pixels_belongs_to_stride_32_in_its_centre():
    assigned = assigned_to([[356.0, 356.0, 656.0, 656.0]], WIDE)
    centre = assigned.split(WIDE.counts)[2].reshape(32, 32)
    assert strides_with(assigned, WIDE) == [32]
    # Its centre is 506; the cells' centres within 48 pixels are 464, 496 and 528.
    assert (centre == 0).nonzero().tolist() == [[i, j] for i in (14, 15, 16) for j in (14, 15, 16)]


def test_the_smaller_of_two_boxes_wins_and_the_first_of_equal_ones():
    large, small = [20.0, 20.0, 80.0, 80.0], [30.0, 30.0, 70.0, 70.0]
    assert set(assigned_to([large, small], region=0)[:384].tolist()) == {0, 1, 2}
    place = (6 * 24 + 6,)  # (52, 52), inside both
    assert assigned_to([large, small])[place] == 1
    assert assigned_to([small, large])[place] == 0
    assert assigned_to([small, small])[place] == 0
    assert assigned_to([large, small], present=[True, False])[place] == 0


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_assigned_instances_are_those_of_the_rule_in_words(data):
    side = st.floats(0, 190, allow_nan=False)
    boxes = []
    for _ in range(data.draw(st.integers(1, 4))):
        (x0, x1), (y0, y1) = (sorted(data.draw(st.tuples(side, side))) for _ in range(2))
        boxes.append([x0, y0, x1, y1])
    region = data.draw(st.sampled_from([0.0, 1.0, 1.5]))
    assert assigned_to(boxes, region=region).tolist() == by_hand(LEVELS, boxes, region)


def test_an_image_of_nobody_has_no_assigned_instance():
    assert (assigned_to([[0.0, 0.0, 0.0, 0.0]], present=[False]) == 1).all()


def test_centreness():
    sides = torch.tensor(
        [[10.0, 20.0, 30.0, 20.0], [20.0, 5.0, 20.0, 20.0], [8.0, 8.0, 8.0, 8.0], [0.0, 3.0, 9.0, 4.0]]
    )
    value = centreness(sides.T[None])
    assert value.shape == (1, 1, 4)
    torch.testing.assert_close(value[0, 0], torch.tensor([0.5773503, 0.5, 1.0, 0.0]))


def test_a_mirrored_cell_lies_on_the_other_side():
    cells = torch.arange(sum(LEVELS.counts))
    there = LEVELS.mirror(cells)
    locations = LEVELS.locations(torch.zeros(0))
    assert torch.equal(LEVELS.mirror(there), cells)
    assert torch.equal(locations[there], torch.stack((IMAGE[1] - locations[:, 0], locations[:, 1]), -1))
    assert torch.equal(LEVELS.scale(locations)[there], LEVELS.scale(locations))
