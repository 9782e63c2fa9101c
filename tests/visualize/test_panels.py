"""Panels on one page, maps in a table, and groups of bars: sizes, scales and refusals."""

import base64
import re
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from posekit.visualize.bars import grouped_bars
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import CELL, GAP, map_grid, sheet

SVG = "{http://www.w3.org/2000/svg}"


def pictures(text):
    """(H, W, 3) RGB of the maps in a page."""
    found = re.findall(r"data:image/png;base64,([^\"]+)", text)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) for data in found]


def test_panels_stand_side_by_side_without_overlap():
    chart = line_chart("a", {"x": [(0, 1), (1, 2)]})
    bars = grouped_bars("b", {"one": {"p": 1.0}, "two": {"p": 2.0}})
    page = ET.fromstring(sheet([chart, bars, chart]))
    inner = [[float(panel.get(key)) for key in ("x", "y", "width", "height")] for panel in page.findall(f"{SVG}svg")]
    assert len(inner) == 3
    (x0, y0, w0, h0), (x1, y1, _, h1), (x2, y2, _, h2) = inner
    assert x1 == x0 + w0 + GAP and y1 == y0 and x2 == x0 and y2 == y0 + max(h0, h1) + GAP
    assert float(page.get("height")) == y2 + h2 + GAP
    assert page.find(f"{SVG}rect").get("fill") == "#ffffff"


def test_maps_are_drawn_each_to_its_own_maximum_or_to_a_common_one():
    low, high = np.zeros((4, 6)), np.zeros((4, 6))
    low[1, 2], high[3, 5] = 0.5, 1.0
    own = pictures(map_grid("t", {"row": {"a": low, "b": high}}, {}))
    assert (own[0][1, 2] == own[1][3, 5]).all() and own[0].shape == (4, 6, 3)
    common = pictures(map_grid("t", {"row": {"a": low, "b": high}}, {}, top=1.0))
    assert (common[0][1, 2] != common[1][3, 5]).any()
    empty = pictures(map_grid("t", {"row": {"a": np.zeros((2, 2)), "b": np.full((2, 2), np.nan)}}, {}))
    assert (empty[0] == empty[1]).all()


def test_a_cross_marks_the_point():
    text = map_grid("t", {"row": {"a": np.ones((4, 4))}}, {"row": (0.25, 0.5)})
    x, y = (float(n) for n in re.search(r'd="M([\d.]+) ([\d.]+)h12', text).groups())
    image = ET.fromstring(text).find(f"{SVG}image")
    assert x + 6 == pytest.approx(float(image.get("x")) + 0.25 * CELL)
    assert y == pytest.approx(float(image.get("y")) + 0.5 * CELL)


def test_bars_start_at_zero_and_are_as_long_as_their_values():
    text = grouped_bars("t", {"one": {"p": 1.0, "q": 4.0}, "two": {"p": 2.0, "q": float("inf")}}, "x")
    bars = [r for r in ET.fromstring(text).findall(f"{SVG}rect") if r.get("height") == "11"]
    widths = [float(bar.get("width")) for bar in bars]
    assert len({bar.get("x") for bar in bars}) == 1
    assert widths[1] == pytest.approx(4 * widths[0], abs=0.1) and widths[2] == pytest.approx(2 * widths[0], abs=0.1)
    assert text.count("not reached") == 1


def test_many_names_take_several_lines_above_the_bars():
    names = ("resnet", "mobilenet_v2", "mobilenet_v3", "shufflenet_v2", "hrnet")
    page = ET.fromstring(grouped_bars("t", {"one": dict.fromkeys(names, 1.0)}))
    told = {t.text: (float(t.get("x")), float(t.get("y"))) for t in page.findall(f"{SVG}text")}
    assert len({told[name][1] for name in names}) > 1
    assert all(told[name][0] + 6.6 * len(name) <= 460 for name in names)
    bars = [float(r.get("y")) for r in page.findall(f"{SVG}rect") if r.get("height") == "11"]
    assert min(bars) > max(told[name][1] for name in names)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sheet([]), "at least one panel"),
        (lambda: sheet(["<svg width='3'>"]), "viewBox"),
        (lambda: map_grid("t", {}, {}), "at least one row"),
        (lambda: map_grid("t", {"a": {"x": np.ones((2, 2))}, "b": {}}, {}), "row 'b' has the columns"),
        (lambda: grouped_bars("t", {}), "at least one group"),
        (lambda: grouped_bars("t", {"a": {"x": 1.0}, "b": {}}), "group 'b' has the values"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
