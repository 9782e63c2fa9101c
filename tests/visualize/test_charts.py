import math
import xml.etree.ElementTree as ElementTree

import pytest

from posekit.visualize.charts import PALETTE, WIDTH, line_chart, log_ticks, short, ticks

SVG = "{http://www.w3.org/2000/svg}"


def drawn(chart):
    """Points of every curve of a chart."""
    tree = ElementTree.fromstring(chart)
    return [[tuple(map(float, p.split(","))) for p in e.get("points").split()] for e in tree.iter(f"{SVG}polyline")]


def words(chart):
    return [e.text for e in ElementTree.fromstring(chart).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.13, 0.58, [0.2, 0.3, 0.4, 0.5]), (-1, 1, [-1, -0.5, 0, 0.5, 1]), (3, 3, [3])],
)
def test_ticks_are_round_and_inside(low, high, expected):
    assert ticks(low, high) == expected


def test_log_ticks():
    assert log_ticks(1e-3, 20) == [0.001, 0.01, 0.1, 1, 10]
    assert log_ticks(0.15, 3) == [0.2, 0.5, 1, 2]
    assert log_ticks(3.1, 3.2) == [3.1, 3.2]


def test_numbers_are_short():
    assert [short(v) for v in (0, 0.25, 1500, 2e6, 3e9, -12000)] == ["0", "0.25", "1.5k", "2M", "3G", "-12k"]


def test_curves_lie_in_the_frame_in_order():
    chart = line_chart("loss", {"a": [(0, 3.0), (1, 1.0), (2, 2.0)], "b": [(0, 5.0), (2, 4.0)]}, x_label="step")
    first, second = drawn(chart)
    assert [len(first), len(second)] == [3, 2]
    assert first[0][0] < first[1][0] < first[2][0] <= WIDTH
    # SVG counts downwards: the smallest value is the lowest.
    assert first[1][1] > first[2][1] > first[0][1] > second[1][1] > second[0][1] > 0
    assert {"loss", "a", "b", "step"} <= set(words(chart))
    assert PALETTE[0] in chart and PALETTE[1] in chart


def test_a_straight_line_in_logarithms_is_straight():
    ((_, a), (_, b), (_, c)) = drawn(line_chart("lr", {"lr": [(0, 1.0), (1, 0.1), (2, 0.01)]}, log=True))[0]
    assert b - a == pytest.approx(c - b, abs=0.02)


def test_what_cannot_be_drawn_is_left_out():
    points = [(0, 1.0), (1, math.nan), (2, math.inf), (3, -1.0), (4, 2.0)]
    assert len(drawn(line_chart("x", {"x": points}))[0]) == 3
    assert len(drawn(line_chart("x", {"x": points}, log=True))[0]) == 2


def test_one_point_is_a_dot_and_none_is_said():
    assert "<circle" in line_chart("x", {"x": [(0, 7.0)]}) and not drawn(line_chart("x", {"x": [(0, 7.0)]}))
    assert "no data" in words(line_chart("x", {"x": [], "y": [(0, math.nan)]}))


def test_names_are_escaped_and_long_legends_wrap():
    names = {f"<series & number {i}>": [(0, i), (1, i + 1)] for i in range(9)}
    chart = line_chart("a < b", names)
    assert set(names) <= set(words(chart))
    rows = {e.get("y") for e in ElementTree.fromstring(chart).iter(f"{SVG}rect")}
    assert len(rows) > 2
