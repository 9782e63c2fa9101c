"""Regression by cells against numbers worked out by hand."""

import pytest
import torch
from codec_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.grid import EDGE, GridRegression
from posekit.geometry.grid import Grid

GRID = Grid.of((256, 192), 32)


def target_of(style, x, y, **fields):
    """Target of one point; a cell is 32 pixels from border to border, as in detectors, so no 0.5 is added."""
    codec = GridRegression(points=1, grid=GRID, style=style, **fields)
    xy = torch.tensor([x, y], dtype=torch.float64).reshape(1, 1, 1, 2)
    return codec, codec.encode(instances(xy)), xy


@pytest.mark.parametrize(
    ("style", "offset"),
    [
        # 100 / 32 = 3.125 and 75 / 32 = 2.34375.
        ("yolo", (0.125, 0.34375)),
        # From the middle (112, 80) of the cell, over a tenth of it: -12 / 3.2 and -5 / 3.2.
        ("ssd", (-3.75, -1.5625)),
    ],
)
def test_a_point_by_hand(style, offset):
    codec, target, xy = target_of(style, 100.0, 75.0)
    assert target.maps["heatmap"].nonzero().tolist() == [[0, 0, 2, 3]]
    assert target.maps["offset"][0, :, 2, 3].tolist() == pytest.approx(offset, abs=1e-9)
    assert target.weight["offset"].nonzero().tolist() == [[0, 0, 2, 3], [0, 1, 2, 3]]
    raw = codec.perfect(target)
    if style == "yolo":
        assert raw["offset"][0, :, 2, 3].tolist() == pytest.approx([-1.945910, -0.646627], abs=1e-6)
    assert torch.allclose(codec.decode(raw).xy, xy, atol=1e-9)


@pytest.mark.parametrize("style", ["yolo", "ssd"])
@pytest.mark.parametrize(("x", "y", "cell"), [(192.0, 256.0, (7, 5)), (0.0, 0.0, (0, 0)), (64.0, 96.0, (3, 2))])
def test_edges(style, x, y, cell):
    codec, target, xy = target_of(style, x, y)
    assert target.maps["heatmap"].nonzero().tolist() == [[0, 0, *cell]]
    # A share of 0 or 1 has no finite logit: it is moved inwards by a thousandth of a cell.
    bound = EDGE * 32 if style == "yolo" else 0
    assert (codec.decode(codec.perfect(target)).xy - xy).abs().max() <= bound + 1e-9
    if style == "yolo":
        assert target.maps["offset"].max() <= 1 - EDGE


@pytest.mark.parametrize(("x", "y"), [(192.01, 10.0), (10.0, 256.01), (-0.01, 10.0)])
def test_outside_is_nobodys(x, y):
    _, target, _ = target_of("yolo", x, y)
    assert target.weight["heatmap"].sum() == target.weight["offset"].sum() == 0
    assert target.maps["heatmap"].sum() == 0


@pytest.mark.parametrize("style", ["yolo", "ssd"])
@settings(deadline=None, max_examples=25)
@given(x=st.floats(0, 31.9), y=st.floats(0, 31.9), column=st.integers(0, 5), row=st.integers(0, 7))
def test_a_step_of_a_cell_changes_no_offset(style, x, y, column, row):
    _, here, _ = target_of(style, x, y)
    _, there, _ = target_of(style, x + 32 * column, y + 32 * row)
    for name in ("heatmap", "offset"):
        rolled = here.maps[name].roll((row, column), dims=(-2, -1))
        assert torch.allclose(there.maps[name], rolled, atol=1e-9), name


@pytest.mark.parametrize("variance", [0.1, 0.5])
def test_the_variance_is_undone(variance):
    codec, target, xy = target_of("ssd", 101.3, 75.2, variance=variance)
    assert target.maps["offset"].abs().max() == pytest.approx((112 - 101.3) / 32 / variance)
    assert torch.allclose(codec.decode(codec.perfect(target)).xy, xy, atol=1e-9)
